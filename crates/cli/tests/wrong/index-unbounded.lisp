;; class: variable-index
(defstruct box (cells (array u32 4)))
(defmap boxes :type :array :key u32 :value box :max-entries 1)
(defprog main (:type :xdp)
  (when-let ((b (map-lookup boxes 0)))
    (setf (box-cells b (get-prandom-u32)) 1))
  XDP_PASS)
