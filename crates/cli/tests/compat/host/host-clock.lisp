;;; Time: `get-universal-time`, `decode-universal-time`, `sleep`, `get-internal-real-time`.
;;; out: t t
;;; out: (0 0 0 1 1 2000)
(let ((a (get-internal-real-time)))
  (sleep 0.01)
  (format t "~a ~a~%" (> (get-internal-real-time) a) (> (get-universal-time) 3900000000)))
(format t "~a~%" (subseq (multiple-value-list (decode-universal-time 3155673600)) 0 6))
