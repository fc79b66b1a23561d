;; class: arguments
;; codes: E0006 E0001 E0001
(defmap seen :type :hash :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (map-lookup seen 1) 2)
  (setf (map-ref seen 1) 2)
  (setf (gethash 1 seen) 2)
  XDP_PASS)
