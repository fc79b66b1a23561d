;;; Fields that the kernel at hand lacks, declared with their types in a flavour of the struct; which one is there is
;;; known when the program is loaded, and the other way is never looked at.
;;; only: kernel in the machine a task has no fields that only a flavour of it names
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 0 1 1 1 0 1 7 1
(import-kernel-struct task_struct pid)
(import-kernel-struct task_struct___old (state i64) (no-such-field (bits u32 3)) (parents (array (ptr task_struct) 2)) pid)
(import-kernel-struct gone___v1 (a u32) (next (ptr gone___v1)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let* ((task (get-current-task-btf)) (old (as-task_struct___old task)))
    (setf (getmap out 0) (field-exists? task_struct___old state)
          (getmap out 1) (field-exists? task_struct___old pid)
          (getmap out 2) (= (task_struct___old-pid old) (-> task pid) (task-struct-pid task))
          (getmap out 3) (= (if (field-exists? task_struct___old state) (task_struct___old-state old) (-> task __state))
                            (-> task __state))
          (getmap out 4) (type-exists? gone___v1)
          (getmap out 5) (= 0 (if (type-exists? gone___v1) (-> (as-gone___v1 task) next a) 0))
          (getmap out 6) (if (field-exists? task_struct___old no-such-field) (task_struct___old-no-such-field old) 7)
          (getmap out 7) (= (if (field-exists? task_struct___old parents) (-> old parents 1 pid) (-> task pid)) (-> task pid))))
  0)
