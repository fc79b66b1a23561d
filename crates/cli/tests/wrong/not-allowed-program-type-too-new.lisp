;; class: not-allowed
(defprog main (:type :netfilter)
  NF_ACCEPT)
