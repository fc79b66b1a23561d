;; class: other
;; codes: E0003 E0004
(import-kernel-struct signal_struct is_child_subreaper)
(defprog p (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((s (-> (get-current-task-btf) signal)))
    (signal_struct-is_child_subreaper-ptr s)
    (offsetof signal_struct is_child_subreaper)
    (signal_struct-is_child_subreaper s)))
