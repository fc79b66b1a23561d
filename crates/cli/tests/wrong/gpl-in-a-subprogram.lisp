;; class: gpl
(defsubprog note ((x u64)) u64
  (printk "seen %d" x)
  x)
(defprog main (:type :xdp :license "Proprietary")
  (if (= (note 3) 3) XDP_DROP XDP_PASS))
