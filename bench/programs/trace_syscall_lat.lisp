;;; A latency histogram for every system call number: the counterpart of trace_syscall_lat.bpf.c.

(defconstant +max-syscalls+ 512)
(defconstant +max-slot+ 25)
(defconstant +max-errno+ 4095)

(defstruct start (ts u64) (id u32) (zero u32))
(defstruct hist (count u64) (total u64) (errors u64) (slots (array u64 26)))

(defmap starts :type :hash :key u64 :value start :max-entries 10240)
(defmap hists :type :array :key u32 :value hist :max-entries 512)

(defprog on_enter (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((nr (ctx args 1)))
    (when (< nr +max-syscalls+)
      (let ((s (make-start)))
        (setf (start-ts s) (ktime-get-ns)
              (start-id s) (cast u32 nr)
              (getmap starts (get-current-pid-tgid)) s))))
  0)

(defprog on_exit (:type :raw-tracepoint :section "raw_tp/sys_exit" :license "GPL")
  (let ((id (get-current-pid-tgid)))
    (when-let ((s (map-lookup starts id)))
      (let ((delta (- (ktime-get-ns) (start-ts s)))
            (nr (start-id s))
            (ret (cast i64 (ctx args 1))))
        (map-delete starts id)
        (when-let ((h (map-lookup hists nr)))
          (atomic-incf (hist-count h))
          (atomic-incf (hist-total h) delta)
          (when (<= (- +max-errno+) ret -1)
            (atomic-incf (hist-errors h)))
          (atomic-incf (hist-slots h (min (log2 (/ delta 1000)) +max-slot+)))))))
  0)

(defun enters (id now &key (pid 9) (tgid 9))
  (run-prog on_enter nil :ctx (context :raw-tracepoint 1234 id) :clock now :pid pid :tgid tgid))

(defun leaves (result now &key (pid 9) (tgid 9))
  (run-prog on_exit nil :ctx (context :raw-tracepoint 5678 result) :clock now :pid pid :tgid tgid))

(defun totals (id)
  (let ((h (map-ref hists id))) (list (hist-count h) (hist-total h) (hist-errors h))))

(defun slot-counts (id)
  "The slots that are not zero, with what is in them."
  (loop for n in (coerce (hist-slots (map-ref hists id)) 'list) for i from 0 unless (zerop n) collect (list i n)))

(deftest a-call-is-counted
  (is (= (enters 1 1000000) 0))
  (let ((s (map-ref starts (+ 9 (ash 9 32)))))
    (is (equal (list (start-ts s) (start-id s) (start-zero s)) '(1000000 1 0))))
  (is (= (leaves 0 1100000) 0))
  (is (equal (totals 1) '(1 100000 0)))
  (is (equal (slot-counts 1) '((6 1))) "100 µs lie between 64 and 127")
  (is (= (map-count starts) 0)))

(deftest the-ids-are-below-512
  (dolist (id (list 512 513 1000 -1 (expt 2 32) (1+ (expt 2 40))))
    (is (= (enters id 1000) 0))
    (is (= (map-count starts) 0)))
  (dolist (id '(0 1 255 256 511))
    (enters id 1000)
    (leaves 0 4000)
    (is (equal (totals id) '(1 3000 0)))
    (is (equal (slot-counts id) '((1 1)))))
  (is (equal (totals 2) '(0 0 0))))

(deftest an-exit-without-its-entry-counts-nothing
  (is (= (leaves 0 1000) 0))
  (is (every (lambda (e) (zerop (hist-count (cdr e)))) (map-entries hists)))
  (enters 1 1000)
  (leaves 0 2000)
  (leaves 0 3000)
  (is (equal (totals 1) '(1 1000 0))))

(deftest threads-are-apart
  (enters 1 1000 :pid 5 :tgid 4)
  (enters 2 2000 :pid 6 :tgid 4)
  (is (= (map-count starts) 2))
  (leaves 0 9000 :pid 4 :tgid 4)
  (leaves 0 9000 :pid 5 :tgid 5)
  (leaves 0 12000 :pid 6 :tgid 4)
  (is (equal (totals 1) '(0 0 0)))
  (is (equal (totals 2) '(1 10000 0)))
  (leaves 0 21000 :pid 5 :tgid 4)
  (is (equal (totals 1) '(1 20000 0))))

(deftest the-last-entry-counts
  (enters 1 1000)
  (enters 2 5000)
  (leaves 0 7000)
  (is (equal (totals 1) '(0 0 0)))
  (is (equal (totals 2) '(1 2000 0))))

(deftest errors-are-results-from--4095-to--1
  (flet ((errors-after (result)
           (enters 1 1000)
           (leaves result 2000)
           (third (totals 1))))
    (is (= (errors-after 0) 0))
    (is (= (errors-after 1) 0))
    (is (= (errors-after -1) 1))
    (is (= (errors-after -4095) 2))
    (is (= (errors-after -4096) 2))
    (is (= (errors-after -2) 3))
    (is (= (errors-after (- (expt 2 32) 1)) 3) "all 64 bits count")
    (is (= (errors-after (- (expt 2 63))) 3))
    (is (= (errors-after (1- (expt 2 63))) 3))
    (is (equal (totals 1) '(9 9000 3)))))

(deftest slots-are-powers-of-two
  (flet ((took (ns)
           (enters 1 1000)
           (leaves 0 (+ 1000 ns))))
    (took 0)
    (took 999)
    (took 1999)
    (is (equal (slot-counts 1) '((0 3))))
    (took 2000)
    (took 3999)
    (took 4000)
    (is (equal (slot-counts 1) '((0 3) (1 2) (2 1))))
    (took (- (* 1000 (expt 2 25)) 1))
    (took (* 1000 (expt 2 25)))
    (took (* 1000 (expt 2 26)))
    (took (* 1000 (expt 2 40)))
    (is (equal (slot-counts 1) '((0 3) (1 2) (2 1) (24 1) (25 3))) "the last one takes the rest")
    (is (= (first (totals 1)) 10))))

(deftest times-wrap
  (enters 1 5000)
  (leaves 0 4000)
  (is (equal (totals 1) (list 1 (- (expt 2 64) 1000) 0)))
  (is (equal (slot-counts 1) '((25 1)))))

;; The kernel can run these as well: nothing is pretended.
(deftest a-call-in-no-time
  (dotimes (i 3)
    (is (= (run-prog on_enter nil :ctx (context :raw-tracepoint 0 39)) 0))
    (is (= (map-count starts) 1))
    (is (= (run-prog on_exit nil :ctx (context :raw-tracepoint 0 (if (= i 2) -11 0))) 0))
    (is (= (map-count starts) 0)))
  (is (= (first (totals 39)) 3))
  (is (= (third (totals 39)) 1))
  (is (= (reduce #'+ (mapcar #'second (slot-counts 39))) 3)))

(deftest unknown-calls-are-passed-over
  (is (= (run-prog on_enter nil :ctx (context :raw-tracepoint 0 512)) 0))
  (is (= (map-count starts) 0))
  (is (= (run-prog on_exit nil :ctx (context :raw-tracepoint 0 0)) 0))
  (is (every (lambda (e) (zerop (hist-count (cdr e)))) (map-entries hists))))
