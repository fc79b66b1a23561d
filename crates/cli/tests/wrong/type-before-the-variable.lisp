;; class: arguments
;; codes: E0008 E0004 E0004
(defmap m :type :hash :key (strct pair) :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (let ((u32 n 5) (u64 total))
    (incf total n)
    (when (> total 3) (return XDP_DROP)))
  XDP_PASS)
