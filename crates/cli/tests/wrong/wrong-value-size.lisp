;; class: map-key-value
(defmap small :type :array :key u32 :value u8 :max-entries 4)
(defprog main (:type :xdp)
  (setf (getmap small 0) 300)
  XDP_PASS)
