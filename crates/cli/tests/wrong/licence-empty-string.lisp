;; class: gpl
(defstruct event (comm (array char 16)))
(defprog main (:type :kprobe :section "kprobe/vfs_read" :license "MIT")
  (let ((e (make-event)))
    (probe-read-kernel e 16 (pt-regs-parm1)))
  0)
