;; class: read-only
(defprog my-avoid (:type :struct-ops :section "struct_ops/cong_avoid")
  (setf (-> (tcp-sk (arg sk)) app_limited) 0))
