;; class: signedness
(defprog main (:type :xdp)
  (let ((limit i64 -5)
        (now (ktime-get-ns)))
    (if (< now limit) XDP_DROP XDP_PASS)))
