;;; `make-S` takes fields by name; the others, and the padding, are zero.
;;; packet: 07
;;; out: 7 0 -2 0x2000000000007
(defstruct rec (a u8) (b u16) (c (bits i8 3)) (d (array u8 3)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((r (make-rec :a (load u8 d 0) :c -2)))
      (setf (getmap out 0) (rec-a r)
            (getmap out 1) (rec-b r)
            (getmap out 2) (rec-c r))
      (let ((z (make-rec :a 7)))
        (setf (rec-d z 2) 0 (rec-b z) 0)
        (setf (rec-d z 1) 2)
        (setf (getmap out 3) (load u64 z)))))
  XDP_PASS)
