;; class: unknown-name
(import-kernel-struct task_strukt pid)
