;;; Every way to show that a lookup hit.
;;; packet: 00
;;; out: 5 5 5 5 5 5 10
;;; result: 2
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap m 1) 5)
  (let ((p (map-lookup m 1)) (q (map-lookup m 1)))
    (setf (getmap out 0) (if p (load u64 p) 0)
          (getmap out 1) (and p (load u64 p))
          (getmap out 2) (cond ((not p) 0) (t (load u64 p)))
          (getmap out 3) (if-let (r (map-lookup m 1)) (load u64 r) 0)
          (getmap out 4) (when (and p q) (load u64 q)))
    (unless p (return XDP_PASS))
    (setf (getmap out 5) (load u64 p))
    (when-let* ((r (map-lookup m 1)) (s (map-lookup m 1)))
      (setf (getmap out 6) (+ (load u64 r) (load u64 s)))))
  XDP_PASS)
