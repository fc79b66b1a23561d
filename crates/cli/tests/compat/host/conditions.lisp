;;; `bpf-verifier-error` is a `bpf-error` is an `error`; it has the kernel's log.
;;; ways: kernel
;;; out: (t t t)
;;; out: refused bad t t
;;; out: 13 t
(defmap m :type :array :key-size 4 :value-size 8 :max-entries 1)
(format t "~a~%" (list (subtypep 'bpf-verifier-error 'bpf-error) (subtypep 'bpf-error 'error) (subtypep 'bpf-verifier-error 'error)))
(handler-case
    (with-bpf-session ()
      (bpf:map entries :type :array :key-size 4 :value-size 8 :max-entries 1)
      (bpf:prog bad (:type :xdp)
        ;; Only the kernel follows how far a number may lead.
        (let ((i (get-prandom-u32)))
          (when-let ((v (map-lookup-ptr entries (stack-addr i))))
            (return (load u8 (+ v i)))))
        0))
  (bpf-verifier-error (e)
    (format t "refused ~a ~a ~a~%" (bpf-verifier-error-program e) (stringp (bpf-verifier-error-log e))
            (plusp (length (bpf-verifier-error-log e))))
    (format t "~a ~a~%" (bpf-error-errno e) (typep e 'bpf-error))))
