;; class: arguments
;; codes: E0309 E0309 E0309
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((count (map-lookup counts 5)))
    (when (> count 100) (return XDP_DROP))
    (when (= count 3) (return XDP_DROP))
    (when (plusp count) (return XDP_TX)))
  XDP_PASS)
