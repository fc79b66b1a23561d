;;; Looking at what is there: `disasm`, `stats`, `verifier-log`, `hist`, `watch`, `links`, `describe`, `apropos`,
;;; `documentation`; of the image's programs and of a session's.
;;; ways: kernel
;;; out: t t
;;; out: t t
;;; out: t t
;;; out: t
;;; out: t t t
;;; out: t
(defmap counts :type :array :key-size 4 :value-size 8 :max-entries 8)
(defprog look (:type :xdp) (incf (getmap counts 3)) XDP_PASS)
(run-prog look (make-array 64 :element-type '(unsigned-byte 8)))
(defun says (part what)
  (let ((text (with-output-to-string (*standard-output*) (funcall what))))
    (not (null (search part text)))))
(defun has (part text) (not (null (search part text))))
(format t "~a ~a~%" (says "exit" (lambda () (disasm look))) (plusp (first (stats look))))
(with-bpf-session ()
  (bpf:prog inner (:type :xdp) XDP_DROP)
  (format t "~a ~a~%" (says "exit" (lambda () (disasm (bpf-session-prog 'inner)))) (plusp (first (stats (bpf-session-prog 'inner)))))
  (format t "~a ~a~%" (has "processed" (verifier-log (bpf-session-prog 'inner))) (has "processed" (verifier-log look))))
(format t "~a~%" (says "8 … 15" (lambda () (hist counts))))
(format t "~a ~a ~a~%" (says "counts" (lambda () (watch counts :times 1))) (says "map" (lambda () (describe 'counts)))
        (says "map-lookup" (lambda () (apropos "map-loo"))))
(format t "~a~%" (has "getmap" (documentation 'getmap 'function)))
