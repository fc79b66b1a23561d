;;; A struct given as a map's value is copied, its bytes and never its address; changing it later changes nothing there.
;;; packet: 00
;;; out: 7 9 7 9
;;; map: m[01000000] = 07000000000000000900000000000000
;;; map: m[02000000] = 07000000000000000900000000000000
(defstruct pair (a u64) (b u64))
(defmap m :type :hash :key u32 :value pair :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((p (make-pair)))
    (setf (pair-a p) 7 (pair-b p) 9)
    (setf (getmap m 1) p)
    (map-update m 2 p)
    (setf (pair-a p) 0 (pair-b p) 0)
    (when-let ((q (map-lookup m 1)) (r (map-lookup m 2)))
      (setf (getmap out 0) (pair-a q)
            (getmap out 1) (pair-b q)
            (getmap out 2) (pair-a r)
            (getmap out 3) (pair-b r))))
  XDP_PASS)
