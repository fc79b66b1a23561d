;; A difference is not the difference the other way round: value numbering must keep them apart.
(defprog p (:type :xdp :section "xdp" :license "GPL")
  (with-packet (data data-end :min-len 64)
    (let ((a (load u32 data 0))
          (b (load u32 data 4)))
      (return (cast u32 (logxor (- a b) (* 3 (- b a)))))))
  XDP_PASS)
