;; class: arguments
(defmap h :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp) (for-each-map-elem h (lambda (k) 0)) XDP_PASS)
