;; class: not-allowed
(defmap m :type :array :key u32 :value u64 :max-entries 2)
(defprog p (:type :xdp)
  (when-let ((c (map-lookup m 0))) (load-acquire u64 c 0))
  XDP_PASS)
