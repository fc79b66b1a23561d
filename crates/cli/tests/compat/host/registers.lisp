;;; `(pt-regs-parm1)` … and `(pt-regs-ret)` in probes of a function of this very process.
;;; ways: kernel
;;; out: t t
(defmacro me () (sb-posix:getpid))
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog on-call (:type :kprobe :section "uprobe/malloc")
  (when (= (ash (get-current-pid-tgid) -32) (me))
    (setf (getmap out 0) (pt-regs-parm1) (getmap out 1) (pt-regs-parm2) (getmap out 2) (pt-regs-parm3)
          (getmap out 3) (pt-regs-parm4) (getmap out 4) (pt-regs-parm5) (getmap out 5) (pt-regs-parm6))
    (incf (getmap out 8)))
  0)
(defprog on-return (:type :kprobe :section "uretprobe/malloc")
  (when (= (ash (get-current-pid-tgid) -32) (me))
    (setf (getmap out 9) (pt-regs-ret)))
  0)
(attach-uprobe on-call "libc.so.6" "malloc" :pid (me))
(attach-uprobe on-return "libc.so.6" "malloc" :retprobe t :pid (me))
(format nil "~a" (make-list 2000))
(format t "~a ~a~%" (and (plusp (map-lookup-int out 8)) (< 0 (map-lookup-int out 0) #x100000000)) (> (map-lookup-int out 9) 4096))
