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

(defun task (pid &key (tgid pid) (parent 1) (exit-code 0) (comm "sh"))
  "The address of a task; PARENT is its parent's process id, nil for none."
  (kernel-object 'task_struct :pid pid :tgid tgid :exit-code exit-code :comm comm
                 :real-parent (if parent (kernel-object 'task_struct :pid (+ parent 1000) :tgid parent) 0)))

(defun exec (task file now)
  (run-prog on_exec nil :clock now
            :ctx (context :raw-tracepoint task 0 (kernel-object 'linux_binprm :filename (kernel-object file)))))

(defun exits (task now) (run-prog on_exit nil :ctx (context :raw-tracepoint task 0) :clock now))

(defun seen ()
  "The records since the last look, as lists."
  (loop for e in (ring-records events :as event)
        collect (list (event-kind e) (event-pid e) (event-ppid e) (event-exit-code e) (event-signal e) (event-zero e)
                      (event-now e) (event-duration e) (event-comm e) (event-file e))))

(deftest an-exec-is-reported
  (is (= (exec (task 7 :parent 3 :comm "make") "/usr/bin/make" 5000) 0))
  (is (equal (seen) '((1 7 3 0 0 0 5000 0 "make" "/usr/bin/make"))))
  (is (= (map-ref births 7) 5000))
  (is (= (map-count births) 1)))

(deftest a-threads-exec-is-its-processs
  (exec (task 9 :tgid 7) "/bin/true" 5000)
  (is (equal (seen) '((1 7 1 0 0 0 5000 0 "sh" "/bin/true"))))
  (is (= (map-ref births 7) 5000))
  (is (= (map-count births) 1)))

(deftest the-last-exec-counts
  (exec (task 7) "/bin/a" 5000)
  (exec (task 7) "/bin/b" 6000)
  (is (= (map-ref births 7) 6000))
  (is (= (map-count births) 1))
  (is (= (length (seen)) 2)))

(deftest an-exit-is-reported-with-its-time
  (exec (task 7) "/bin/true" 5000)
  (seen)
  (is (= (exits (task 7 :parent 3 :exit-code #x2a00 :comm "true") 12345) 0))
  (is (equal (seen) '((2 7 3 42 0 0 12345 7345 "true" ""))))
  (is (= (map-count births) 0))
  (exits (task 7) 13000)
  (is (equal (seen) '((2 7 1 0 0 0 13000 0 "sh" ""))) "a birth that was not seen gives no duration"))

(deftest exit-codes-and-signals
  (dolist (case '((0 0 0) (#x100 1 0) (#xff00 255 0) (9 0 9) (#x8b 0 11) (#x7f 0 127) (#x1234ff7f 255 127) (#x80 0 0)))
    (exits (task 7 :exit-code (first case)) 1000)
    (is (equal (seen) (list (list 2 7 1 (second case) (third case) 0 1000 0 "sh" ""))))))

(deftest a-threads-exit-is-no-end
  (exec (task 7) "/bin/true" 5000)
  (seen)
  (is (= (exits (task 8 :tgid 7) 6000) 0))
  (is (null (seen)))
  (is (= (map-ref births 7) 5000)))

(deftest only-its-own-birth-is-taken
  (exec (task 7) "/bin/a" 5000)
  (exec (task 8) "/bin/b" 6000)
  (seen)
  (exits (task 8) 9000)
  (is (equal (seen) '((2 8 1 0 0 0 9000 3000 "sh" ""))))
  (is (= (map-ref births 7) 5000))
  (is (= (map-count births) 1)))

(deftest long-names-are-cut
  (let ((long (format nil "/~v,,,'xa" 62 "y")))
    (is (= (length long) 63))
    (exec (task 7) long 5000)
    (is (equal (tenth (first (seen))) long) "63 characters fit")
    (exec (task 7) (format nil "~az" long) 5000)
    (is (equal (tenth (first (seen))) long) "the 64th does not"))
  (exec (task 7 :comm "a-name-of-15-by") "" 5000)
  (is (equal (seen) '((1 7 1 0 0 0 5000 0 "a-name-of-15-by" "")))))

(deftest what-can-not-be-read-is-zero
  (run-prog on_exec nil :ctx (context :raw-tracepoint (task 7 :parent nil) 0 0) :clock 5000)
  (is (equal (seen) '((1 7 0 0 0 0 5000 0 "sh" ""))) "no parent, no file")
  (run-prog on_exec nil :ctx (context :raw-tracepoint 64 0 64) :clock 6000)
  (is (equal (seen) '((1 0 0 0 0 0 6000 0 "" ""))))
  (is (= (map-ref births 0) 6000))
  (exits 64 7000)
  (is (equal (seen) '((2 0 0 0 0 0 7000 1000 "" "")))))

(deftest a-full-ring-is-passed-over
  ;; 65536 bytes hold 546 records of 112 bytes with their heads of eight.
  (dotimes (i 546) (exec (task 7) "/bin/true" 5000))
  (is (= (exec (task 8) "/bin/true" 6000) 0))
  (is (= (map-ref births 8) 6000))
  (is (= (exits (task 7) 6000) 0))
  (is (null (map-ref births 7)))
  (is (= (length (seen)) 546)))
