;; class: null
(defprog test (:type :struct-ops :section "struct_ops/test_1")
  (-> (arg cb) val))
