;;; `(declare (type …))` writes a type as the place in the binding does.
;;; packet: ff01
;;; out: 255 -1 0 511
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u16 d 0)) (b (load u16 d 0)) (c (load u16 d 0)))
      (declare (type u8 a) (type i8 b))
      (setf (getmap out 0) a
            (getmap out 1) b
            (getmap out 3) c)
      (incf a)
      (setf (getmap out 2) a)))
  XDP_PASS)
