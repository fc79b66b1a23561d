;; class: unknown-name
(defmap packets :type :array :key u32 :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (incf (getmap packet 0))
  XDP_PASS)
