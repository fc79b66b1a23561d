;; class: unknown-name
(defprog main (:type :xdp)
  (let ((counter (ktime-get-ns)))
    (if (> countr 5) XDP_DROP XDP_PASS)))
