;; class: arguments
;; codes: E0003 E0003 E0003
(deftracepoint syscalls/sys_enter_openat filename)
(defstruct event (pid u32) (name (array char 128)))
(defmap events :type :ringbuf :max-entries 65536)
(defprog main (:type :tracepoint :section "tracepoint/syscalls/sys_enter_openat")
  (with-ringbuf (e events (sizeof event))
    (probe-read-user-str (event-name-ptr e) (tp-filename) 128)
    (probe-read-user (event-name-ptr e) (min (tp-filename) 128) 128)
    (probe-read-kernel (event-name-ptr e) (get-current-task) 64))
  0)
