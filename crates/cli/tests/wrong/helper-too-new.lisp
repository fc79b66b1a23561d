;; class: not-allowed
;; flags: --target 5.4
(defprog main (:type :xdp)
  (if (= (ktime-get-boot-ns) 0) XDP_DROP XDP_PASS))
