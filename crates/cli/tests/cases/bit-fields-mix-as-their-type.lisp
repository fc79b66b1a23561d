;;; A narrow unsigned bit-field mixes with signed numbers, as a number of its type does.
;;; packet: 9f00000000000000
;;; out: 1 0 0xffffffffffffffff 1 1 31
(defstruct bf (a (bits u8 3)) (b (bits u8 5)) (c (bits u32 20)) (d (bits i16 4)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (make-bf)) (y u8 (load u8 d 0)) (minus i64 (- 0 1)))
      (setf (bf-b x) (logand y 31) (bf-c x) 7 (bf-d x) -1)
      (setf (getmap out 0) (< minus (bf-b x))
            (getmap out 1) (<= (logand minus (bf-b x)) (cast i64 0))
            (getmap out 2) (- (bf-b x) 32)
            (getmap out 3) (> (bf-c x) minus)
            (getmap out 4) (< (bf-d x) (bf-b x))
            (getmap out 5) (let ((z (bf-b x))) z))))
  XDP_PASS)
