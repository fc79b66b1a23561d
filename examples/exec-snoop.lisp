;;; Every program that is started on this machine, as it happens.
;;;
;;;   whistler run examples/exec-snoop.lisp            until Ctrl-C
;;;   whistler run examples/exec-snoop.lisp --count 5  the next five
;;;   whistler run --vm examples/exec-snoop.lisp       recorded events, without the kernel

(deftracepoint sched/sched_process_exec filename)

(defstruct exec-event
  (pid  u32)
  (ppid u32)
  (comm (array char 16))
  (file (array char 104)))

(defmap events :type :ringbuf :max-entries (* 256 1024))

(defprog on-exec (:type :tracepoint :section "tracepoint/sched/sched_process_exec" :license "GPL")
  (with-ringbuf (e events (sizeof exec-event))
    (setf (exec-event-pid e)  (ash (get-current-pid-tgid) -32)
          (exec-event-ppid e) (-> (get-current-task-btf) real_parent tgid))
    (get-current-comm (exec-event-comm-ptr e) 16)
    (probe-read-kernel-str (exec-event-file-ptr e) 104 (tp-filename)))
  0)

(attach on-exec)
(follow events :as exec-event)

(deftest an-exec-is-told
  (run-prog on-exec nil
            :ctx (context :tracepoint "sched/sched_process_exec" :filename "/usr/bin/true")
            :pid 41233 :ppid 17 :comm "true")
  (let ((told (ring-records events :as exec-event)))
    (is (= (length told) 1))
    (is (= (exec-event-pid (first told)) 41233))
    (is (= (exec-event-ppid (first told)) 17))
    (is (equal (exec-event-comm (first told)) "true"))
    (is (equal (exec-event-file (first told)) "/usr/bin/true"))))
