; A number that a loop counts beside its own count, and that is an index behind it: the verifier kept both equal, and
; followed every round.
(defstruct lattice (m (array (array i16 4) 4)))
(defmap counts :type :hash :key u32 :value u64 :max-entries 64)
(defprog p (:type :xdp :section "xdp" :license "GPL")
  (with-packet (data data-end :min-len 64)
    (let ((o (make-lattice)))
      (setf (lattice-m o 0 (logand (cast u8 (let ((n u64 0) (x u64 (load u32 data 4)))
                                              (while (> x 0) :max 9550 (setf x (- x (min x 873861))) (incf n))
                                              n)) 3))
            7)
      (setf (getmap counts 1) (load u64 o 0))
      (return 1)))
  (packet-pass))
