;; class: arguments
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (arg sk))
