;;; How long system calls take: a histogram in powers of two of microseconds.
;;;
;;;   whistler run examples/syscall-latency.lisp       for two seconds
;;;   whistler run examples/syscall-latency.lisp 10    for ten

(defmap started :type :hash :key u64 :value u64 :max-entries 10240)
(defmap latency :type :percpu-array :key u32 :value u64 :max-entries 32)

(defprog on-enter (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (setf (getmap started (get-current-pid-tgid)) (ktime-get-ns))
  0)

(defprog on-exit (:type :raw-tracepoint :section "raw_tp/sys_exit" :license "GPL")
  (let ((id (get-current-pid-tgid)))
    (when-let ((t0 (map-lookup started id)))
      (let ((slot (log2 (/ (- (ktime-get-ns) (load u64 t0)) 1000))))
        (incf (getmap latency (min slot 31))))
      (map-delete started id)))
  0)

(defun main (&optional (seconds "2"))
  (attach on-enter)
  (attach on-exit)
  (sleep (parse-integer seconds))
  (hist latency :unit "µs"))

(deftest a-call-is-counted-by-its-time
  (run-prog on-enter nil :ctx (context :raw-tracepoint 0 0) :clock 1000000 :pid 9)
  (run-prog on-exit nil :ctx (context :raw-tracepoint 0 0) :clock 1100000 :pid 9)
  (is (= (reduce #'+ (map-ref latency 6)) 1) "100 µs lie between 64 and 127")
  (is (= (map-count started) 0)))

(deftest an-exit-without-its-entry-counts-nothing
  (run-prog on-exit nil :ctx (context :raw-tracepoint 0 0))
  (is (every (lambda (e) (every #'zerop (cdr e))) (map-entries latency))))
