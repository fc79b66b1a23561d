;;; The licence is GPL, the type :xdp and the section the type's name where they are not given.
;;; out: t t t
(defprog plain () XDP_DROP)
(defprog tracing (:type :tracepoint :section "tracepoint/syscalls/sys_enter_statx") (printk "GPL only") 0)
(defparameter *file* (format nil "~a/d.bpf.o" (posix-getenv "TEST_DIR")))
(compile-to-elf *file*)
(with-bpf-object (o *file*)
  (let ((p (bpf-object-prog o "plain")))
    (format t "~a ~a ~a~%" (= XDP_DROP (run-prog p (make-array 64 :element-type '(unsigned-byte 8))))
            (not (null (attach-xdp p "lo")))
            (not (null (bpf-object-prog o "tracing"))))))
