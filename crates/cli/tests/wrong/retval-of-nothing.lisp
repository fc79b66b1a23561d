;; class: arguments
(defprog ended (:type :fexit :section "fexit/put_task_stack")
  (retval)
  0)
