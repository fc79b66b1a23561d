;;; Records of a struct in the host: `make-n-record`, `n-record-f`, `setf` of it, `encode-n`, `decode-n`.
;;; out: #(7 0 0 0 31 144 255 0 97 98 0 0 1 0 2 0)
;;; out: 7 8080 -1 ab #(1 2)
;;; out: t nil
;;; out: 9 (0 0)
;;; out: 3 bytes given, and the struct has 16
;;; out: 70000 does not fit in 16 bits
;;; out: 2 3
(defstruct inner (a u16) (b u16))
(defstruct event (pid u32) (port (be u16)) (delta i8) (pad u8) (comm (array char 4)) (parts (array u16 2)))
(defprog p (:type :xdp) XDP_PASS)
(let ((e (make-event-record :pid 7 :port 8080 :delta -1 :comm "ab" :parts #(1 2))))
  (format t "~a~%" (encode-event e))
  (let ((back (decode-event (encode-event e))))
    (format t "~a ~a ~a ~a ~a~%" (event-record-pid back) (event-record-port back) (event-record-delta back)
            (event-record-comm back) (event-record-parts back))
    (format t "~a ~a~%" (event-record-p back) (event-record-p 5)))
  (setf (event-record-pid e) 9)
  (format t "~a ~a~%" (event-record-pid e) (coerce (event-record-parts (make-event-record)) 'list))
  (handler-case (decode-event #(1 2 3)) (error (e) (format t "~a~%" e)))
  (setf (event-record-port e) 70000)
  (handler-case (encode-event e) (error (e) (format t "~a~%" e))))
(let ((i (decode-inner #(2 0 3 0))))
  (format t "~a ~a~%" (inner-a i) (inner-record-b i)))
