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

(defun enters (file-address flags &key (pid 7) (tgid 7) (directory -100) (mode #o644))
  (run-prog on_enter nil :pid pid :tgid tgid
            :ctx (context :tracepoint "syscalls/sys_enter_openat"
                          :dfd directory :filename file-address :flags flags :mode mode)))

(defun leaves (result &key (pid 7) (tgid 7) (uid 0) (gid 0) (comm "cat") (clock 5000) user)
  (run-prog on_exit nil :pid pid :tgid tgid :uid uid :gid gid :comm comm :clock clock :user user
            :ctx (context :tracepoint "syscalls/sys_exit_openat" :ret result)))

(defun waiting (pid tgid)
  "What is pending for a thread: the file name's address, the flags, the zero; nil for nothing."
  (let ((p (map-ref pending (+ (ash tgid 32) pid))))
    (and p (list (pending-open-filename p) (pending-open-flags p) (pending-open-zero p)))))

(defun seen ()
  (loop for e in (ring-records events :as event)
        collect (list (event-ts e) (event-pid e) (event-tid e) (event-uid e) (event-ret e) (event-flags e)
                      (event-name-len e) (event-comm e) (event-name e))))

(deftest an-open-is-reported
  (is (= (enters #x7f0000001000 #o100 :pid 9 :tgid 8) 0))
  (is (equal (waiting 9 8) '(#x7f0000001000 64 0)))
  (is (null (seen)) "not before it is done")
  (is (= (leaves 3 :pid 9 :tgid 8 :uid 1000 :gid 100 :clock 123456 :user '((#x7f0000001000 . "/etc/passwd"))) 0))
  (is (equal (seen) '((123456 8 9 1000 3 64 12 "cat" "/etc/passwd"))))
  (is (= (map-count pending) 0))
  (is (= (map-ref dropped 0) 0)))

(deftest a-failure-is-reported
  (enters #x1000 0)
  (leaves -2 :user '((#x1000 . "/nowhere")))
  (is (equal (seen) '((5000 7 7 0 -2 0 9 "cat" "/nowhere")))))

(deftest an-exit-without-its-entry-is-none
  (is (= (leaves 3) 0))
  (is (null (seen)))
  (is (= (map-ref dropped 0) 0)))

(deftest threads-are-apart
  (enters #x1000 1 :pid 8 :tgid 7)
  (enters #x2000 2 :pid 9 :tgid 7)
  (leaves 3 :pid 7 :tgid 7 :user '((#x1000 . "/a") (#x2000 . "/b")))
  (leaves 3 :pid 8 :tgid 8)
  (is (null (seen)))
  (leaves 4 :pid 9 :tgid 7)
  (is (equal (seen) '((5000 7 9 0 4 2 3 "cat" "/b"))))
  (is (equal (waiting 8 7) '(#x1000 1 0)))
  (is (null (waiting 9 7)))
  (leaves 5 :pid 8 :tgid 7)
  (is (equal (seen) '((5000 7 8 0 5 1 3 "cat" "/a")))))

(deftest the-last-entry-counts
  (enters #x1000 1)
  (enters #x2000 2)
  (is (= (map-count pending) 1))
  (leaves 3 :user '((#x1000 . "/a") (#x2000 . "/b")))
  (is (equal (seen) '((5000 7 7 0 3 2 3 "cat" "/b")))))

(deftest flags-and-results-are-cut-to-32-bits
  (run-prog on_enter nil :pid 7 :tgid 7
            :ctx (context :tracepoint "syscalls/sys_enter_openat" :filename (1- (expt 2 64)) :flags #x1ffffffff))
  (is (equal (waiting 7 7) (list (1- (expt 2 64)) #xffffffff 0)))
  (leaves (+ (expt 2 32) 5))
  (is (equal (subseq (first (seen)) 4 6) '(5 #xffffffff))))

(deftest the-user-is-the-low-half
  (enters #x1000 0)
  (leaves 3 :uid 4000000000 :gid 1 :user '((#x1000 . "/a")))
  (is (= (fourth (first (seen))) 4000000000)))

(deftest names-are-cut-to-127-characters
  (let* ((long (format nil "~v,,,'xa" 127 "/")) (longer (format nil "~ay" long)))
    (enters #x1000 0)
    (leaves 3 :user (list (cons #x1000 long)))
    (let ((e (first (seen))))
      (is (= (seventh e) 128))
      (is (equal (ninth e) long)))
    (enters #x1000 0)
    (leaves 3 :user (list (cons #x1000 longer)))
    (let ((e (first (seen))))
      (is (= (seventh e) 128))
      (is (equal (ninth e) long)))
    (enters #x1000 0)
    (leaves 3 :user (list (cons #x1000 "")))
    (let ((e (first (seen))))
      (is (= (seventh e) 1))
      (is (equal (ninth e) "")))))

(deftest a-name-that-is-not-there
  (enters #xdead000 0)
  (leaves 3)
  (is (= (seventh (first (seen))) -14) "EFAULT"))

(deftest what-does-not-fit-is-counted
  ;; 262144 bytes hold 1424 records of 176 bytes with their heads of eight.
  (dotimes (i 1424)
    (enters #x1000 0)
    (leaves i))
  (is (= (map-ref dropped 0) 0))
  (enters #x1000 0)
  (is (= (leaves 3) 0))
  (is (= (map-ref dropped 0) 1))
  (is (= (map-count pending) 0) "the entry is gone in every case")
  (is (= (length (seen)) 1424))
  (enters #x1000 0)
  (leaves 3)
  (is (= (length (seen)) 1))
  (is (= (map-ref dropped 0) 1)))
