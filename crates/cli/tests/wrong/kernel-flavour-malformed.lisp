;; class: malformed
;; codes: E0004 E0004 E0003 E0004 E0001 E0003 E0008
(import-kernel-struct task_struct (state i64))
(import-kernel-struct task_struct___a (state i64 3) (flag (bits u8 9)) (no_type_for_it) stat)
(defstruct own (a u32))
(import-kernel-struct task_struct___b (mine own))
(import-kernel-struct task_struct___c state)
