;;; Ring consumers: the original's function of address and length, one that decodes, `ring-poll` with a time,
;;; `ring-consume`, `close-ring-consumer`, `with-decoding-ring-consumer`.
;;; out: 16 5 9
;;; out: 5 9 5 0
;;; out: polled 1
;;; out: consumed 0
;;; out: decoded 5 9
;;; out: decoded 5 9
;;; out: polled 2
;;; out: named 5
;;; out: the consumer is closed
(whistler:defstruct ev (pid u32) (ts u64))
(defpackage #:tracer (:use #:cl #:whistler #:whistler/loader))
(in-package #:tracer)
(defparameter *packet* (make-array 64 :element-type '(unsigned-byte 8)))
(with-bpf-session ()
  (bpf:map events :type :ringbuf :max-entries 4096)
  (bpf:prog send (:type :xdp)
    (with-ringbuf (e events (sizeof ev))
      (setf (ev-pid e) 5 (ev-ts e) 9))
    XDP_PASS)
  (let* ((ring (cdr (assoc "events" (bpf-session-maps *bpf-session*) :test #'string=)))
         (consumer (open-ring-consumer ring
                     (lambda (sap len)
                       (let ((buf (make-array len :element-type '(unsigned-byte 8))))
                         (dotimes (i len)
                           (setf (aref buf i) (sb-sys:sap-ref-8 sap i)))
                         (let ((e (decode-ev buf)))
                           (format t "~a ~a ~a~%" len (ev-record-pid e) (ev-record-ts e))
                           (format t "~a ~a ~a ~a~%" (sb-sys:sap-ref-32 sap 0) (sb-sys:sap-ref-64 sap 8)
                                   (sb-sys:sap-ref-16 sap 0) (sb-sys:sap-ref-16 sap 2))))))))
    (run-prog (bpf-session-prog 'send) *packet*)
    (format t "polled ~a~%" (ring-poll consumer :timeout-ms 1000))
    (format t "consumed ~a~%" (ring-consume consumer))
    (close-ring-consumer consumer)
    (with-decoding-ring-consumer (c ring #'decode-ev
                                    (lambda (e) (format t "decoded ~a ~a~%" (ev-record-pid e) (ev-record-ts e))))
      (run-prog (bpf-session-prog 'send) *packet*)
      (run-prog (bpf-session-prog 'send) *packet*)
      (format t "polled ~a~%" (ring-poll c :timeout-ms 1000)))
    (let ((c (open-decoding-ring-consumer ring 'ev (lambda (e) (format t "named ~a~%" (ev-record-pid e))))))
      (run-prog (bpf-session-prog 'send) *packet*)
      (ring-consume c)
      (close-ring-consumer c)
      (handler-case (ring-poll c :timeout-ms 0) (error (e) (format t "~a~%" e))))))
