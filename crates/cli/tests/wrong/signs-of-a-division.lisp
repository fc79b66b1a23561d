;; class: signedness
(defprog main (:type :xdp)
  (let ((offset i64 -8) (now (ktime-get-ns)))
    (if (= (/ now offset) 3) XDP_DROP XDP_PASS)))
