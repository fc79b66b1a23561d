;;; `(v init)`, `(v TYPE init)`, `(declare (type T v…))` in `let` and `let*`; `setf` of several pairs.
;;; packet: 07
;;; out: 7 0x34 0x34 0x3478 9 10
(in-package #:whistler)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp :section "xdp" :license "GPL")
  (with-packet (d e :min-len 14)
    (let ((a (load u8 d 0))
          (b u8 #x34))
      (let* ((c #x3434)
             (h u16 #x3478))
        (declare (type u8 c))
        (setf (getmap out 0) a
              (getmap out 1) b
              (getmap out 2) c
              (getmap out 3) h))
      (let (x y)
        (declare (type u32 x y))
        (setf x 9 y (+ x 1))
        (setf (getmap out 4) x (getmap out 5) y))))
  XDP_PASS)
