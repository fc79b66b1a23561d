;; class: arguments
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (let ((found (if (= (ctx rx_queue_index) 0) (map-lookup counts 1) 5)))
    (if found XDP_DROP XDP_PASS)))
