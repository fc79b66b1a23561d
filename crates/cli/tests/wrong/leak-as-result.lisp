;; class: address-leak
;; flags: --unprivileged
(defmap seen :type :array :key u32 :value u64 :max-entries 2)
(defprog main (:type :socket-filter)
  (return (cast u64 (map-lookup seen 0))))
