;;; How many bytes one process asks malloc for: a probe on a function of a running program.
;;;
;;;   whistler run examples/uprobe-malloc.lisp PID [SECONDS]

(defmap sizes :type :percpu-array :key u32 :value u64 :max-entries 64)

(defprog on-malloc (:type :kprobe :section "uprobe" :license "GPL")
  (incf (getmap sizes (log2 (pt-regs-parm1))))
  0)

(defun main (pid &optional (seconds "2"))
  (attach on-malloc :uprobe "libc.so.6" "malloc" :pid (parse-integer pid))
  (sleep (parse-integer seconds))
  (hist sizes :unit "bytes"))

(deftest counts-by-powers-of-two
  (dolist (bytes '(0 1 24 31 32 100000))
    (run-prog on-malloc nil :ctx (context :kprobe :parm1 bytes)))
  (flet ((slot (n) (reduce #'+ (map-ref sizes n))))
    (is (equal (list (slot 0) (slot 4) (slot 5) (slot 16)) '(2 2 1 1)))))
