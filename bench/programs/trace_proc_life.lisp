;;; Reports the start (exec) and end of processes with parent, lifetime and exit code:
;;; the counterpart of trace_proc_life.bpf.c.

(import-kernel-struct task_struct pid tgid exit_code real_parent comm)
(import-kernel-struct linux_binprm filename)

(defconstant +kind-exec+ 1)
(defconstant +kind-exit+ 2)
(defconstant +comm-len+ 16)
(defconstant +file-len+ 64)

(defstruct event (kind u32) (pid u32) (ppid u32) (exit-code u8) (signal u8) (zero u16) (now u64) (duration u64)
  (comm (array char 16)) (file (array char 64)))

(defmap births :type :hash :key u32 :value u64 :max-entries 8192)
(defmap events :type :ringbuf :max-entries (* 64 1024))

(defmacro with-event ((e kind task pid now) &body body)
  "A record of that task that BODY completes."
  `(with-ringbuf (,e events (sizeof event))
     (setf (event-kind ,e) ,kind
           (event-pid ,e) ,pid
           (event-ppid ,e) (cast u32 (-> ,task real_parent tgid))
           (event-exit-code ,e) 0
           (event-signal ,e) 0
           (event-zero ,e) 0
           (event-now ,e) ,now
           (event-duration ,e) 0
           (event-file ,e 0) 0)
     (probe-read-kernel (event-comm-ptr ,e) +comm-len+ (task_struct-comm-ptr ,task))
     ,@body))

(defprog on_exec (:type :raw-tracepoint :section "raw_tp/sched_process_exec" :license "GPL")
  (let* ((task (as-task_struct (ctx args 0)))
         (bprm (as-linux_binprm (ctx args 2)))
         (pid (cast u32 (-> task tgid)))
         (now (ktime-get-ns)))
    (setf (getmap births pid) now)
    (with-event (e +kind-exec+ task pid now)
      (probe-read-kernel-str (event-file-ptr e) +file-len+ (-> bprm filename))))
  0)

(defprog on_exit (:type :raw-tracepoint :section "raw_tp/sched_process_exit" :license "GPL")
  (let* ((task (as-task_struct (ctx args 0)))
         (pid (cast u32 (-> task tgid))))
    (when (= pid (cast u32 (-> task pid)))
      (let ((now (ktime-get-ns))
            (duration 0))
        (when-let ((birth (map-lookup births pid)))
          (setf duration (- now (deref birth)))
          (map-delete births pid))
        (with-event (e +kind-exit+ task pid now)
          (let ((code (-> task exit_code)))
            (setf (event-exit-code e) (cast u8 (ash code -8))
                  (event-signal e) (cast u8 (logand code #x7f))
                  (event-duration e) duration))))))
  0)
