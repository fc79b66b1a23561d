;;; `defmacro`, `defun`, `defconstant`, `defparameter`, `eval-when` in a file; package prefixes on any name.
;;; packet: 00
;;; out: 21 12 5
(whistler:in-package #:whistler-user)
(cl:defconstant +seven+ 7)
(cl:defparameter *table* '(1 2 3 6))
(eval-when (:compile-toplevel :load-toplevel :execute)
  (defun sum-of (list) (reduce #'+ list)))
(defmacro times-three (x) `(* 3 ,x))
(defmacro table-sum () (sum-of *table*))
(whistler:defmap whistler::out :type :array :key-size 4 :value-size 8 :max-entries 16)
(whistler:defprog main (:type :xdp)
  (whistler:setf (whistler:getmap out 0) (times-three +seven+)
                 (whistler/loader:getmap out 1) (table-sum))
  (let ((x 4))
    (whistler:incf x)
    (setf (getmap out 2) x))
  XDP_PASS)
