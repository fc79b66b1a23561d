;; class: stack-size
(defstruct big (byte (array u8 300)))
(defsubprog fill ((n u64)) u64
  (let ((b (make-big)))
    (dotimes (i 100) (setf (big-byte b i) n))
    (big-byte b 3)))
(defprog top (:type :xdp)
  (let ((b (make-big)))
    (dotimes (i 100) (setf (big-byte b i) (fill i)))
    (if (= (fill 4) (+ (fill 5) (big-byte b 7))) XDP_DROP XDP_PASS)))
