;; class: unknown-name
(defprog main (:type :tracepoint :section "tracepoint/syscalls/sys_exit_write")
  (if (= (get-pid-tgid) 5) 1 0))
