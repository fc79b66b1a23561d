; newest: a sum that something is decided by, in a loop over what the kernel gives, grew for ever.
(defmap counts :type :array :key u32 :value u64 :max-entries 8)
(defstruct rec (a u64) (b u64))
(defprog p (:type :xdp :section "xdp" :license "GPL")
  (with-packet (data data-end :min-len 64)
    (let ((r (make-rec)) (v (logand (load u8 data 5) 7)))
      (setf (rec-a r) (load u64 data 8))
      (block out
        (loop :max 4
          (incf (getmap counts 0))
          (when (logtest v (let ((x u64 0)) (do-kernel (b bits r 1) (incf x (* (load u32 b 0) 7))) x))
            (return-from out 0)))))
    (return 2))
  (packet-pass))
