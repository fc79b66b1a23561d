;; class: other
(defmap jumps :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defprog p (:type :xdp)
  (bpf-loop 4 (lambda (i) (tail-call jumps i) 0))
  XDP_PASS)
