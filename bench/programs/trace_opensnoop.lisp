;;; Reports every openat(2) with its result: the counterpart of trace_opensnoop.bpf.c.

(defconstant +comm-len+ 16)
(defconstant +name-len+ 128)

(defstruct pending-open (filename u64) (flags u32) (zero u32))
(defstruct event (ts u64) (pid u32) (tid u32) (uid u32) (ret i32) (flags u32) (name-len i32)
  (comm (array char 16)) (name (array char 128)))

(defmap pending :type :hash :key u64 :value pending-open :max-entries 10240)
(defmap dropped :type :array :key u32 :value u64 :max-entries 1)
(defmap events :type :ringbuf :max-entries (* 256 1024))

(defprog on_enter (:type :tracepoint :section "tracepoint/syscalls/sys_enter_openat" :license "GPL")
  (let ((open (make-pending-open)))
    (setf (pending-open-filename open) (ctx-load u64 24)
          (pending-open-flags open) (cast u32 (ctx-load u64 32))
          (getmap pending (get-current-pid-tgid)) open))
  0)

(defprog on_exit (:type :tracepoint :section "tracepoint/syscalls/sys_exit_openat" :license "GPL")
  (let ((id (get-current-pid-tgid)))
    (when-let ((open (map-lookup pending id)))
      (if-let (e (ringbuf-reserve events (sizeof event)))
        (progn
          (setf (event-ts e) (ktime-get-ns)
                (event-pid e) (>> id 32)
                (event-tid e) (cast u32 id)
                (event-uid e) (cast u32 (get-current-uid-gid))
                (event-ret e) (cast i32 (ctx-load i64 16))
                (event-flags e) (pending-open-flags open))
          (get-current-comm (event-comm-ptr e) +comm-len+)
          (setf (event-name-len e)
                (cast i32 (probe-read-user-str (event-name-ptr e) +name-len+ (pending-open-filename open))))
          (ringbuf-submit e))
        (incf (getmap dropped 0)))
      (map-delete pending id)))
  0)
