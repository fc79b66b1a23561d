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
