;; class: constant-index
;; codes: E0203 E0003 E0003 E0001 E0004
(defprog p (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((task (get-current-task-btf)))
    (-> task comm 16)
    (-> task pid 0)
    (-> task comm 3 x)
    (-> task files fdt fdd 0)
    (field-size task_struct pid 0)))
