;;; Values of per-CPU maps come as a vector with one for each CPU; one given for all goes to all.
;;; out: t t
;;; out: t
;;; out: t
;;; out: t
(defmap hits :type :percpu-array :key-size 4 :value-size 8 :max-entries 2)
(defprog p (:type :xdp) (incf (getmap hits 0)) XDP_PASS)
(run-prog p (make-array 64 :element-type '(unsigned-byte 8)))
(let ((values (map-lookup hits (encode-int-key 0 4))))
  (format t "~a ~a~%" (vectorp values) (every (lambda (v) (= (length v) 8)) values))
  (format t "~a~%" (= 1 (reduce #'+ (map 'list #'decode-int-value values)))))
(map-update hits (encode-int-key 1 4) (encode-int-key 6 8))
(format t "~a~%" (every (lambda (n) (= n 6)) (map-lookup-int hits 1)))
(let ((all (map 'vector (lambda (v) (encode-int-key (1+ (decode-int-value v)) 8)) (map-lookup hits (encode-int-key 1 4)))))
  (map-update hits (encode-int-key 1 4) all)
  (format t "~a~%" (every (lambda (n) (= n 7)) (decode-int-value (map-lookup hits (encode-int-key 1 4))))))
