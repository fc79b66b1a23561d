;; class: null
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (let ((p (map-lookup counts 7)))
    (when (> (load u64 p 0) 1000)
      (return XDP_DROP)))
  XDP_PASS)
