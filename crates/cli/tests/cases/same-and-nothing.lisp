;;; `eq` and `eql` compare numbers and pointers, `null` asks for nothing, `setq` assigns variables.
;;; packet: 05
;;; out: 1 0 1 1 0 9 8 1
(defmap m :type :hash :key u32 :value u64 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (y 0) (z 0))
      (setf (getmap out 0) (eq x 5)
            (getmap out 1) (eql x 6)
            (getmap out 2) (null y)
            (getmap out 3) (null (map-lookup m 3))
            (getmap out 4) (null d))
      (setq y 9 z (- y 1))
      (setf (getmap out 5) y
            (getmap out 6) z
            (getmap out 7) (eq d d))))
  XDP_PASS)
