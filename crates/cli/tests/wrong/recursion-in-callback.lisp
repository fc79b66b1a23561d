;; class: recursion
(defmap h :type :hash :key u32 :value u64 :max-entries 8)
(defsubprog walk ((n u64)) u64
  (for-each-map-elem h (lambda (k v) (walk (deref v))))
  n)
(defprog p (:type :xdp) (walk 1) XDP_PASS)
