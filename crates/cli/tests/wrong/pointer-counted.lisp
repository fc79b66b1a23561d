;; class: arguments
;; codes: E0309 E0309
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((count (map-lookup counts 5)))
    (incf count))
  XDP_PASS)
(defprog other (:type :xdp)
  (when-let ((count (map-lookup counts 5)))
    (setf count 1))
  XDP_PASS)
