;;; The library's forms for tracing: what of the process is told, and its memory.

(defstruct event (pid u32) (uid u32) (time u64) (comm (array char 16)))
(defmap events :type :ringbuf :max-entries 4096)
(defprog tell (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (with-ringbuf (e events (sizeof event))
    (fill-process-info e :pid-field event-pid :uid-field event-uid :timestamp-field event-time
                         :comm-field event-comm-ptr :comm-size 16))
  7)

(deftest process-info
  (is (= (run-prog tell nil :ctx (context :raw-tracepoint 0 0)) 7))
  (let ((e (first (ring-records events :as event))))
    (is (plusp (event-pid e)))
    (is (plusp (event-time e)))
    (is (plusp (length (event-comm e))))))
