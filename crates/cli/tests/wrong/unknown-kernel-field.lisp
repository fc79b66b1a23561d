;; class: unknown-name
(import-kernel-struct task_struct pidd)
