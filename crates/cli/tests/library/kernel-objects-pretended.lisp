;;; Structs of the kernel that a test makes: followed by trusted pointers and by probes, with all kinds of fields.
;;; only: vm the kernel has only its own structs

(import-kernel-struct task_struct pid tgid real_parent comm)
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defstruct names (comm (array char 16)) (file (array char 16)))
(defmap texts :type :array :key u32 :value names :max-entries 1)

(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog trusted (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (let ((next (arg next)))
    (setf (getmap out 0) (cast u32 (-> next pid))
          (getmap out 1) (cast u32 (-> next real_parent tgid))
          (getmap out 2) (-> next se vruntime)
          (getmap out 3) (-> next sched_reset_on_fork)
          (getmap out 4) (-> next exit_code)))
  0)

(deftest by-trusted-pointers
  (let* ((parent (kernel-object 'task_struct :tgid 9))
         (task (kernel-object 'task-struct :pid 5 :real-parent parent :se.vruntime 600000000000 :sched-reset-on-fork 1
                              :exit-code -3)))
    (is (= (run-prog trusted nil :ctx (context :tp-btf 0 parent task 0)) 0))
    (is (equal (outs 5) (list 5 9 600000000000 1 (- (expt 2 64) 3))))
    (run-prog trusted nil :ctx (context :tp-btf 0 task (kernel-object 'task_struct :real-parent parent) 0))
    (is (equal (outs 5) '(0 9 0 0 0)) "what is not given is zero")))

(defprog probed (:type :raw-tracepoint :section "raw_tp/sched_process_exec" :license "GPL")
  (let ((task (as-task_struct (ctx args 0))) (text (map-lookup texts 0)))
    (setf (getmap out 0) (cast u32 (-> task real_parent real_parent pid)))
    (when text
      (probe-read-kernel (names-comm-ptr text) 16 (task_struct-comm-ptr task))
      (probe-read-kernel-str (names-file-ptr text) 16 (ctx args 1))
      (setf (getmap out 1) (kernel-load u32 (ctx args 2)))))
  0)

(deftest by-probes
  (let* ((init (kernel-object 'task_struct :pid 1))
         (parent (kernel-object 'task_struct :real-parent init))
         (task (kernel-object 'task_struct :real_parent parent :comm "a-name")))
    (run-prog probed nil :ctx (context :raw-tracepoint task (kernel-object "/bin/true") (kernel-object '(1 2 0 0))))
    (is (equal (outs 2) '(1 #x201)))
    (is (equal (names-comm (map-ref texts 0)) "a-name"))
    (is (equal (names-file (map-ref texts 0)) "/bin/true"))))

(deftest arrays-by-their-elements
  (let ((task (kernel-object 'task_struct :comm '(97 98 99))))
    (run-prog probed nil :ctx (context :raw-tracepoint task 0 0))
    (is (equal (names-comm (map-ref texts 0)) "abc"))))

(defmacro refused (form)
  "The message of the error that a form ends in."
  `(handler-case (progn ,form "no error") (error (e) (princ-to-string e))))

(deftest what-there-is-not
  (is (search "no struct `no_such`" (refused (kernel-object 'no_such))))
  (is (search "no field :pidd" (refused (kernel-object 'task_struct :pidd 1))))
  (is (search "no field :se.no-such" (refused (kernel-object 'task_struct :se.no-such 1))))
  (is (search "no field :pid.x" (refused (kernel-object 'task_struct :pid.x 1))))
  (is (search "give its fields" (refused (kernel-object 'task_struct :se 1))))
  (is (search "does not fit" (refused (kernel-object 'task_struct :pid (expt 2 40)))))
  (is (search "does not fit into the 1 bits" (refused (kernel-object 'task_struct :sched-reset-on-fork 2))))
  (is (search "longer than the 16 bytes" (refused (kernel-object 'task_struct :comm "seventeen letters"))))
  (is (search "no value behind" (refused (kernel-object 'task_struct :pid))))
  (is (search "only a struct has fields" (refused (kernel-object "text" :pid 1))))
  (is (search "takes at least 1 argument" (refused (kernel-object))))
  (is (search "is not bytes" (refused (kernel-object 5)))))

(defprog through-nothing (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (let ((next (arg next)))
    (setf (getmap out 0) (cast u32 (-> next real_parent tgid))
          (getmap out 1) (cast u32 (-> next real_parent real_parent pid))
          (getmap out 2) (-> next real_parent se vruntime)
          (getmap out 3) (-> next pid)))
  0)

(deftest nothing-is-read-as-zero
  (dotimes (i 3) (setf (map-ref out i) 77))
  (is (= (run-prog through-nothing nil :ctx (context :tp-btf 0 0 (kernel-object 'task_struct :pid 3) 0)) 0))
  (is (equal (outs 4) '(0 0 0 3))))
