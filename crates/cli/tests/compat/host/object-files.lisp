;;; `compile-to-elf` writes an object; `with-bpf-object`, `open-`, `load-`, `close-bpf-object` take it again, with
;;; typed maps; names are lower case with `_`.
;;; out: count_it my_counts
;;; out: nil nil
;;; out: 2
;;; out: #(3 0 0 0 0 0 0 0)
;;; out: 3
;;; out: t
;;; out: nil
;;; out: `OBJECT` is closed
;;; out: `OBJECT` is not loaded yet
;;; out: pair 4 5
(defstruct pair (a u16) (b (be u16)))
(defmap My-Counts :type :hash :key-size 4 :value-size 8 :max-entries 8)
(defmap pairs :type :array :key u32 :value pair :max-entries 2)
(defprog Count-It (:type :xdp)
  (incf (getmap my-counts 7) 3)
  XDP_PASS)
(defparameter *file* (format nil "~a/x.bpf.o" (posix-getenv "TEST_DIR")))
(compile-to-elf *file*)
(defparameter *packet* (make-array 64 :element-type '(unsigned-byte 8)))
(defun shown (e)
  (let* ((text (format nil "~a" e)) (at (search *file* text)))
    (if at (concatenate 'string (subseq text 0 at) "OBJECT" (subseq text (+ at (length *file*)))) text)))

(with-bpf-object (o *file*)
  (let ((prog (bpf-object-prog o "count_it")) (map (bpf-object-map o "my_counts")))
    (format t "~a ~a~%" (prog-info-name prog) (map-info-name map))
    (format t "~a ~a~%" (bpf-object-prog o "other") (bpf-object-map o "other"))
    (format t "~a~%" (run-prog prog *packet*))
    (format t "~a~%" (map-lookup map (encode-int-key 7 4)))
    (format t "~a~%" (map-lookup-int map 7))))
(let ((o (open-bpf-object *file*)))
  (load-bpf-object o)
  (format t "~a~%" (close-bpf-object o))
  (format t "~a~%" (close-bpf-object o))
  (handler-case (run-prog (bpf-object-prog o "count_it") *packet*)
    (error (e) (format t "~a~%" (shown e)))))
(let ((o (open-bpf-object *file*)))
  (handler-case (run-prog (bpf-object-prog o 'count-it) *packet*)
    (error (e) (format t "~a~%" (shown e)))))
(let* ((o (load-object *file*)) (pairs (bpf-object-map o 'pairs)))
  (map-update pairs 0 (list 4 5))
  (let ((p (map-ref pairs 0)))
    (format t "~a ~a ~a~%" (type-of p) (pair-a p) (pair-b p)))
  (close-bpf-object o))
