;;; Maps by bytes: `map-lookup`, `map-update` with its flags, `map-delete`, `map-get-next-key` from nil to the end.
;;; out: nil
;;; out: #(1 2 3 4 5 6 7 8)
;;; out: 4
;;; out: (1 2 3)
;;; out: t nil
;;; out: bpf-error 17
;;; out: bpf-error 2
;;; out: #(42 0 0 0) 10 #(255 255)
;;; out: the map's key has 4 bytes, not 3
(defmap m :type :hash :key-size 4 :value-size 8 :max-entries 8)
(defprog p (:type :xdp) (getmap m 0))
(format t "~a~%" (map-lookup m (encode-int-key 1 4)))
(map-update m (encode-int-key 1 4) #(1 2 3 4 5 6 7 8))
(format t "~a~%" (map-lookup m #(1 0 0 0)))
(map-update m (encode-int-key 2 4) (encode-int-key 4 8) :flags +bpf-noexist+)
(map-update m (encode-int-key 3 4) (encode-int-key 5 8))
(format t "~a~%" (decode-int-value (map-lookup m (encode-int-key 2 4))))
(let ((key nil) (found nil))
  (loop
    (let ((next (map-get-next-key m key)))
      (unless next (return))
      (push (decode-int-value next) found)
      (setf key next)))
  (format t "~a~%" (sort found #'<)))
(format t "~a ~a~%" (map-delete m (encode-int-key 3 4)) (map-delete m (encode-int-key 3 4)))
(handler-case (map-update m (encode-int-key 1 4) (encode-int-key 0 8) :flags +bpf-noexist+)
  (bpf-error (e) (format t "bpf-error ~a~%" (bpf-error-errno e))))
(handler-case (map-update m (encode-int-key 9 4) (encode-int-key 0 8) :flags +bpf-exist+)
  (bpf-error (e) (format t "bpf-error ~a~%" (bpf-error-errno e))))
(format t "~a ~a ~a~%" (encode-int-key 42 4) (decode-int-value #(10 0 0 0 0 0 0 0)) (encode-int-key -1 2))
(handler-case (map-lookup m (encode-int-key 1 3))
  (error (e) (format t "~a~%" e)))
