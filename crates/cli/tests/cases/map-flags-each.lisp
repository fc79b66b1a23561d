;;; The answers of `for-each-map-elem` and `loop` to the flags 0 to 8.
;;; packet: 00
;;; out: 2 -22 -22 -22 -22 -22 -22 -22 -22 1 -22 -22 -22 -22 -22 -22 -22 -22 3 -22 -22 -22 -22 -22 -22 -22 -22 6 0 0 0 0 0 0 0 0
(defmap m :type :array :key u32 :value u64 :max-entries 2)
(defmap h :type :hash :key u32 :value u64 :max-entries 2)
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :xdp)
  (setf (getmap h 1) 1)
  (dotimes (i 9)
    (let ((f (cast u64 i)) (n u64 0))
      (setf (getmap out i) (for-each-map-elem m (lambda (k v) (incf n) 0) nil f)
            (getmap out (+ 9 i)) (for-each-map-elem h (lambda (k v) (incf n) 0) nil f)
            (getmap out (+ 18 i)) (bpf-loop 3 (lambda (j) (incf n) 0) nil f)
            (getmap out (+ 27 i)) (cast i64 n))))
  XDP_PASS)
