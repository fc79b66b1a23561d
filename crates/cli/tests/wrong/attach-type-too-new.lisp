;; class: not-allowed
;; flags: --target 6.1
(defprog main (:type :tc :section "tcx/ingress")
  TC_ACT_OK)
