;; class: null
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (let ((p (map-lookup counts 7)))
    (if (not p)
        (store u64 p 0 1)
        (incf (deref p)))
    XDP_PASS))
