;;; A lookup in a map of maps gives a map, which the map forms take; a slot with nothing in it gives null.
;;; packet: 00
;;; out: 5 11 1 8 5 1 0
;;; map: first[01000000] = 0b00000000000000
;;; map: second[02000000] = 0800000000000000
(defmap first :type :hash :key u32 :value u64 :max-entries 8)
(defmap second :type :hash :key u32 :value u64 :max-entries 8)
(defmap all :type :array-of-maps :max-entries 4 :inner first :values (first nil second))
(defmap by-name :type :hash-of-maps :key u64 :max-entries 4 :inner (:type :array :key u32 :value u32 :max-entries 2))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((m (map-lookup all 0)))
    (setf (getmap m 1) 5)
    (setf (getmap out 0) (getmap m 1))
    (incf (getmap m 1) 6)
    (when-let ((v (map-lookup m 1)))
      (setf (getmap out 1) (deref v)))
    (setf (getmap m 3) 1)
    (remmap m 3))
  (setf (getmap out 2) (if (map-lookup all 1) 0 1))
  (if-let (m (map-lookup all 2))
      (progn (map-update m 2 8 BPF_ANY)
             (setf (getmap out 3) (getmap m 2)
                   (getmap out 4) (+ (getmap m 9) 5))))
  (setf (getmap out 5) (if (map-lookup by-name 77) 0 1))
  XDP_PASS)
