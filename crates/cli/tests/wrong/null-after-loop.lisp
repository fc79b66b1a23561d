;; class: null
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (let ((p (map-lookup counts 0)) (sum 0))
    (when p
      (dotimes (i 3)
        (incf sum (load u64 p))
        (setf p (map-lookup counts (+ i 1)))))
    (if (> sum 9) XDP_DROP XDP_PASS)))
