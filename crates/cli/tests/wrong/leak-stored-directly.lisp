;; class: address-leak
;; flags: --unprivileged
(defmap seen :type :array :key u32 :value u64 :max-entries 2)
(defprog main (:type :cgroup-skb :section "cgroup_skb/ingress")
  (when-let ((p (map-lookup seen 0)))
    (store u64 p 0 (cast u64 p)))
  1)
