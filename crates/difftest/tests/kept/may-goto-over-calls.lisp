; newest
; A loop in a function that the kernel verifies on its own, around calls: the verifier of 6.18 reported a bug of its own.
(defmap counts :type :hash :key u32 :value u64 :max-entries 64)
(defstruct guard (lock bpf-spin-lock) (n u32) (m i64))
(defmap guards :type :array :key u32 :value guard :max-entries 4)
(defsubprog f7 ((p1 u16) (p2 u8) (p3 i32) (p4 i64)) i8 :global t
  (while (cast u8 1) :max 9000
    (when-let ((x5 (map-lookup guards (cast u32 (logand (* p3 4) 3)))))
      (with-spin-lock ((guard-lock-ptr x5)) (incf (guard-n x5) 1) (setf (guard-m x5) (- (guard-n x5) 1))))
    (delmap counts (cast u32 (logand p2 7))) 0)
  1)
(defprog p (:type :xdp :section "xdp" :license "GPL")
  (with-packet (data data-end :min-len 64)
    (f7 (load u16 data 4) (load u8 data 5) (load i32 data 8) (load i64 data 16))
    (return 1))
  (packet-pass))
