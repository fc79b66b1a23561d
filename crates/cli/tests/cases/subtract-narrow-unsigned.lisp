;;; `u8` minus `u8` is a `u64`: it goes below zero by way of 2^64, and compares as unsigned.
;;; packet: 03 05
;;; out: -2 1 0 1 -2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let* ((a (load u8 d 0)) (b (load u8 d 1)) (c (- a b)))
      (setf (getmap out 0) c
            (getmap out 1) (> c 100)
            (getmap out 2) (< c 0)
            (getmap out 3) (s< c 0)
            (getmap out 4) (- (load u8 d 0) (load u8 d 1)))))
  XDP_PASS)
