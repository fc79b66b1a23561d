;; class: not-allowed
;; flags: --target 6.1
(defprog main (:type :netfilter)
  NF_ACCEPT)
