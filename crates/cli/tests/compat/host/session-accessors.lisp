;;; `bpf-session-map` and `-prog` by symbol or string; `bpf-session-maps` with names as the object has them.
;;; out: (one_two seen)
;;; out: (look_at)
;;; out: one_two look_at t
;;; out: 7
;;; out: the session has no map `three`
;;; out: there is no session open here
(in-package #:whistler-loader-user)
(with-bpf-session ()
  (bpf:map one-two :type :array :key-size 4 :value-size 8 :max-entries 2)
  (bpf:map seen :type :hash :key-size 4 :value-size 4 :max-entries 2)
  (bpf:prog look-at (:type :xdp)
    (setf (getmap one-two 1) 7)
    XDP_PASS)
  (format t "~a~%" (sort (mapcar #'car (bpf-session-maps *bpf-session*)) #'string<))
  (format t "~a~%" (mapcar #'car (bpf-session-progs *bpf-session*)))
  (format t "~a ~a ~a~%" (map-info-name (bpf-session-map 'one-two)) (prog-info-name (bpf-session-prog "look-at"))
          (eq *bpf-session* *bpf-session*))
  (run-prog (bpf-session-prog 'look-at) (make-array 64 :element-type '(unsigned-byte 8)))
  (format t "~a~%" (bpf:map-ref one-two 1))
  (handler-case (bpf-session-map 'three)
    (error (e) (format t "~a~%" e))))
(handler-case (bpf-session-map 'one-two)
  (error (e) (format t "~a~%" e)))
