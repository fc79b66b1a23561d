;; class: arguments
(defsubprog clamp ((x u64) (hi u64)) u64
  (if (> x hi) hi x))
(defprog main (:type :xdp)
  (if (= (clamp (ktime-get-ns)) 5) XDP_DROP XDP_PASS))
