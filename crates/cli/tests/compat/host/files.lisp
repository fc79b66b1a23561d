;;; A whole file as the original's users write it: systems, packages of its own, prefixes, host functions, `format`,
;;; `loop`, `handler-case`, `probe-file`, `eval`, `*error-output*`; `(compile-to-elf …)` at its end.
;;; out: packets: 000  1 00
;;; out: (1 3 5) 9 6
;;; out: caught division by zero
;;; out: written t
;;; out: nothing nil
;;; out: evaluated 11
;;; err: compiling
(asdf:load-system "whistler/loader")
(defpackage #:my-prog
  (:use #:cl #:whistler #:whistler/loader)
  (:shadowing-import-from #:whistler #:incf #:decf)
  (:shadowing-import-from #:cl #:case #:defstruct)
  (:export #:main))
(in-package #:my-prog)
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defconstant +entries+ 4))
(defparameter *name* "packets")
(defvar *seen* (list 1 2 3 4 5))
(whistler:defmap pkt-count :type :array :key-size 4 :value-size 8 :max-entries +entries+)
(whistler:defprog count-them (:type :xdp :section "xdp" :license "GPL")
  (whistler:incf (whistler:getmap pkt-count 0))
  XDP_PASS)
(defun show (n &key (width 3) (pad #\Space))
  "Prints a number."
  (format t "~a: ~v,'0d ~v,vd ~2,'0d~%" *name* width 0 (1- width) pad n 0))
(show 1)
(format t "~a ~a ~a~%" (loop for x in *seen* when (oddp x) collect x)
        (loop for x in *seen* when (oddp x) sum x)
        (loop for i from 1 to 3 for j = (* i 1) sum j))
(handler-case (/ 1 0)
  (division-by-zero () (format t "caught division by zero~%"))
  (error (e) (format t "other ~a~%" e)))
(format *error-output* "compiling~%")
(defparameter *out* (format nil "~a/my.bpf.o" (uiop:getenv "TEST_DIR")))
(compile-to-elf *out*)
(format t "written ~a~%" (not (null (probe-file *out*))))
(format t "nothing ~a~%" (probe-file "/nowhere/at/all"))
(format t "evaluated ~a~%" (eval '(let ((x 5)) (+ x 6))))
