;; class: arguments
(defmap limits :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((limit (map-lookup limits 5)))
    (return limit))
  XDP_PASS)
