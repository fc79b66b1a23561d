;;; `(import-kernel-struct s f…)`: `(s-f p)`, `+s-size+`, `(as-s p)`; `core-load`, `core-ctx-load` and `kernel-load`
;;; of the same field.
;;; ways: kernel
;;; out: t t t
;;; out: t
(import-kernel-struct task_struct pid tgid)
(defmacro me () (sb-posix:getpid))
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 8)
(defprog on-stat (:type :tracepoint :section "tracepoint/syscalls/sys_enter_statx")
  (when (= (ash (get-current-pid-tgid) -32) (me))
    (let ((task (get-current-task)))
      (setf (getmap out 0) (task-struct-tgid (as-task-struct task))
            (getmap out 1) (core-load u32 task 0 task_struct tgid)
            (getmap out 2) +task-struct-size+
            (getmap out 3) (kernel-load u32 (task-struct-tgid-ptr (as-task-struct task)) 0)
            (getmap out 4) (= (core-ctx-load u64 8 syscall_trace_enter nr) (ctx-load u64 8)))))
  0)
(let ((link (attach-tracepoint on-stat "syscalls/sys_enter_statx")))
  (probe-file "/nowhere")
  (detach link))
(let ((v (lambda (i) (map-lookup-int out i))))
  (format t "~a ~a ~a~%" (= (me) (funcall v 0)) (= (me) (funcall v 1)) (= (me) (funcall v 3)))
  (format t "~a~%" (> (funcall v 2) 1000)))
