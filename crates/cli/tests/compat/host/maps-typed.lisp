;;; The typed variants: `-int`, `-struct`, `-struct-int`.
;;; out: nil 5 5
;;; out: 1 nil
;;; out: t nil
;;; out: 10 20
;;; out: 10 21
;;; out: 3 4 nil
;;; out: t nil
(whistler:defstruct flow (bytes u64) (packets u32))
(whistler:defstruct key (a u16) (b u16))
(defmap numbers :type :hash :key-size 2 :value-size 4 :max-entries 8)
(defmap flows :type :hash :key-size 4 :value-size (sizeof flow) :max-entries 8)
(defmap keyed :type :hash :key-size (sizeof key) :value-size 8 :max-entries 8)
(defprog p (:type :xdp) XDP_PASS)
(format t "~a ~a ~a~%" (map-lookup-int numbers 1) (map-update-int numbers 1 5) (map-lookup-int numbers 1))
(format t "~a ~a~%" (map-get-next-key-int numbers) (map-get-next-key-int numbers 1))
(format t "~a ~a~%" (map-delete-int numbers 1) (map-delete-int numbers 1))
(map-update-struct-int flows 7 (make-flow-record :bytes 10 :packets 20) 'flow)
(let ((f (map-lookup-struct-int flows 7 'flow)))
  (format t "~a ~a~%" (flow-record-bytes f) (flow-record-packets f))
  (setf (flow-record-packets f) 21)
  (map-update-struct flows (encode-int-key 7 4) f 'flow :flags +bpf-exist+)
  (let ((f (map-lookup-struct flows (encode-int-key 7 4) 'flow)))
    (format t "~a ~a~%" (flow-record-bytes f) (flow-record-packets f))))
(map-update keyed (encode-key (make-key-record :a 3 :b 4)) (encode-int-key 1 8))
(let ((k (map-get-next-key-struct keyed 'key)))
  (format t "~a ~a ~a~%" (key-record-a k) (key-record-b k) (map-get-next-key-struct keyed 'key k))
  (format t "~a ~a~%" (map-delete-struct keyed k 'key) (map-delete-struct keyed k 'key)))
