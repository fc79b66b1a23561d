;; class: read-only
(defprog main (:type :cgroup-skb :section "cgroup_skb/ingress")
  (let ((data (ctx data)) (data-end (ctx data_end)))
    (when (<= (+ data 20) data-end)
      (store u8 data 8 64))
    1))
