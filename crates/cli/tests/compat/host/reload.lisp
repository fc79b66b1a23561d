;;; Loading a file again redefines what is in it, and never declares anything twice.
;;; out: 1 program 1
;;; out: 1 program 2
(defparameter *part* (format nil "~a/part.lisp" (posix-getenv "TEST_DIR")))
(defun write-part (n)
  (with-open-file (s *part* :direction :output :if-exists :supersede)
    (format s "(defmap part-map :type :array :key-size 4 :value-size 8 :max-entries 1)~%")
    (format s "(defprog part-prog (:type :xdp) ~d)~%" n)))
(defparameter *packet* (make-array 64 :element-type '(unsigned-byte 8)))
(defun try (n)
  (write-part n)
  (load *part*)
  (load *part*)
  (compile-to-elf (format nil "~a/part.bpf.o" (posix-getenv "TEST_DIR")))
  (with-bpf-object (o (format nil "~a/part.bpf.o" (posix-getenv "TEST_DIR")))
    (format t "1 program ~a~%" (run-prog (bpf-object-prog o "part_prog") *packet*))))
(try 1)
(try 2)
