;; class: malformed
(defmap stats :type :array :key u32 :value u64 :max-entries 4)
(defmacro bump (slot) (incf (getmap stats slot)))
(defprog main (:type :xdp)
  (bump 0)
  XDP_PASS)
