;; codes: W0033 W0033
(defprog main (:type :xdp)
  (printk "%d\n" (get-prandom-u32))
  (emit "seen %d\n" (get-prandom-u32))
  (printk "in")
  (printk "a \"word\" of one: %dn" 4)
  XDP_PASS)
