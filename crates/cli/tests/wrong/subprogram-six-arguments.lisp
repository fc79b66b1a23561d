;; class: arguments
(defsubprog f ((a u64) (b u64) (c u64) (d u64) (e u64)) u64 (+ a b c d e (ctx rx-queue-index)))
(defprog main (:type :xdp) (if (= (f 1 2 3 4 5) 3) XDP_DROP XDP_PASS))
