;; class: arguments
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((count (map-lookup counts 5)))
    (printk "count %d" count))
  XDP_PASS)
