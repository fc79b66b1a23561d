;; class: read-only
(import-kernel-struct task_struct pid)
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (setf (task_struct-pid (get-current-task)) 1)
  0)
