;;; Whether the running kernel's struct has a field is folded when the program is loaded; sizes too.
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 1 0 1 2
(import-kernel-struct task_struct tgid)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (setf (getmap out 0) (field-exists? task_struct tgid)
        (getmap out 1) (field-exists? task_struct no_such_field_anywhere)
        (getmap out 2) (> +task-struct-size+ 1000)
        (getmap out 3) (if (field-exists? task_struct no_such_field_anywhere) 1 2))
  0)
