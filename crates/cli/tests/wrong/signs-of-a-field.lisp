;; class: signedness
(defstruct sample (delta i64) (limit u64))
(defprog main (:type :xdp)
  (let ((s (make-sample)))
    (if (> (sample-delta s) (sample-limit s)) XDP_DROP XDP_PASS)))
