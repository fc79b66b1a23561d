;;; A negative literal against a signed number of any width; `=` of a `u64` looks at the bits.
;;; packet: ff ff fe ffffffff ffffffffffffffff
;;; out: 1 1 1 0 1 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (= (load i8 d 0) -1)
          (getmap out 1) (= (load i32 d 3) -1)
          (getmap out 2) (< (load i8 d 2) -1)
          (getmap out 3) (< (load i32 d 3) -1)
          (getmap out 4) (= (load u64 d 7) -1)
          (getmap out 5) (<= (load i16 d 0) -1)
          (getmap out 6) (/= (load i64 d 7) -1)))
  XDP_PASS)
