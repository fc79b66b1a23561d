;; class: other
(defmap fifo :type :queue :value u64 :max-entries 4)
(defprog p (:type :xdp)
  (do-map (k v fifo) 0)
  XDP_PASS)
