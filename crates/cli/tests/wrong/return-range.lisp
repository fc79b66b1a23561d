;; class: return-range
(defprog main (:type :cgroup-skb :section "cgroup_skb/ingress")
  3)
