;; class: variable-index
(defstruct box (cells (array u32 4)))
(defmap boxes :type :array :key u32 :value box :max-entries 1)
(defprog main (:type :xdp)
  (let ((i (ctx rx_queue_index)))
    (when-let ((b (map-lookup boxes 0)))
      (when (<= i 4)
        (setf (box-cells b i) 1))))
  XDP_PASS)
