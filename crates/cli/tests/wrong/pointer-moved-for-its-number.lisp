;; class: other
(defmap m :type :hash :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (let ((v (map-lookup m 3)))
    (if (= v 0)
        (setf (getmap m 3) 1)
        (setf v (+ v 1))))
  XDP_PASS)
