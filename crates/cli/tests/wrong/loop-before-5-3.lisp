;; class: loop
;; flags: --target 4.19
(defmap seen :type :hash :key u32 :value u64 :max-entries 1000)
(defprog p (:type :xdp)
  (dotimes (i 600)
    (setf (getmap seen i) (ktime-get-ns)))
  XDP_PASS)
