;;; Kernel memory by probe reads: the task's own id, three ways; an address that is none reads as 0.
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 1 1 1 1
(import-kernel-struct task_struct tgid)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let* ((task (get-current-task)) (id u32 0) (pid (ash (get-current-pid-tgid) -32))
         (t2 (as-task-struct task)))
    (setf (getmap out 0) (= (task-struct-tgid t2) pid))
    (setf (getmap out 1) (= (core-load u32 task 0 task_struct tgid) pid))
    (probe-read-kernel (stack-addr id) 4 (task-struct-tgid-ptr t2))
    (setf (getmap out 2) (= id pid))
    (setf (getmap out 3) (= (kernel-load u64 8) 0)))
  0)
