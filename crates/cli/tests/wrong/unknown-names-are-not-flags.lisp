;; class: unknown-name
;; codes: E0004 E0001
(defmap stat :type :percpu-array :key u32 :vale u64 :max-entries 1)
(defprog main (:type :xdp)
  (incf (getmap stats 0))
  XDP_PASS)
