;;; `attach-sk-lookup` to this network namespace; `attach-lsm` and `attach-fentry` work, or say what is missing: never
;;; silence.
;;; ways: kernel
;;; out: sk-lookup 1 1
;;; out: lsm ok
;;; out: fentry ok
;;; out: `attach-sk-lookup` takes a program of type :sk-lookup, not :xdp
(defprog choose (:type :sk-lookup) SK_PASS)
(let ((link (attach-sk-lookup (prog-info-fd choose))))
  (format t "sk-lookup ~a ~a~%" (length (links)) (detach link)))
(defun tried (what)
  (handler-case (progn (funcall what) "ok")
    (bpf-error (e) (if (plusp (length (format nil "~a" e))) "ok" "silent"))))
(format t "lsm ~a~%"
        (tried (lambda ()
                 (with-bpf-session ()
                   (bpf:prog guard (:type :lsm :section "lsm/file_open") 0)
                   (attach-lsm (bpf-session-prog 'guard))))))
(format t "fentry ~a~%"
        (tried (lambda ()
                 (with-bpf-session ()
                   (bpf:prog entry (:type :fentry :section "fentry/vfs_read") 0)
                   (attach-fentry (bpf-session-prog 'entry))))))
(defprog other (:type :xdp) XDP_PASS)
(handler-case (attach-sk-lookup other) (error (e) (format t "~a~%" e)))
