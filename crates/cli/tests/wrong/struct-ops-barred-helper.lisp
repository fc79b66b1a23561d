;; class: not-allowed
(defprog my-release (:type :struct-ops :section "struct_ops/release")
  (let ((n u32 1))
    (setsockopt (arg sk) SOL_TCP TCP_NODELAY (stack-addr n) 4)))
