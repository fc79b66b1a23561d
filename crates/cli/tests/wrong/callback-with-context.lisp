;; class: arguments
(defmap h :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let ((sum 0))
    (for-each-map-elem h (lambda (k v) (incf sum (deref v)) 0) (stack-addr sum) 0)
    (if (> sum 3) XDP_DROP XDP_PASS)))
