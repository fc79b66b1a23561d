;; class: program-size
;; flags: --target 4.19
(defmap seen :type :hash :key u32 :value u64 :max-entries 1000)
(defprog p (:type :xdp)
  (dotimes (i 140)
    (setf (getmap seen i) (ktime-get-ns)))
  (dotimes (i 140)
    (setf (getmap seen (+ i 300)) (get-prandom-u32)))
  (dotimes (i 140)
    (setf (getmap seen (+ i 600)) 1))
  XDP_PASS)
