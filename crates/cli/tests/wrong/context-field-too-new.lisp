;; class: context-field
;; flags: --target 5.4
(defprog main (:type :tc)
  (if (= (ctx tstamp_type) 1) TC_ACT_SHOT TC_ACT_OK))
