;; class: other
(defstruct cell (n u16))
(defmap m :type :array :key u32 :value cell :max-entries 2)
(defprog p (:type :xdp)
  (when-let ((c (map-lookup m 0))) (atomic-incf (cell-n c)))
  XDP_PASS)
