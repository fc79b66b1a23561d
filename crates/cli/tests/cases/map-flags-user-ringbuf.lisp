;;; The answers of `user-ringbuf-drain` to the flags 0 to 8, and of `fib-lookup` with too little memory to any.
;;; packet: 00
;;; out: 0 0 0 0 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22
(defmap in :type :user-ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value i64 :max-entries 32)
(defprog main (:type :xdp)
  (dotimes (i 9)
    (let ((f (cast u64 i)) (x u64 0))
      (setf (getmap out i) (user-ringbuf-drain in (lambda (_record) 0) nil f)
            (getmap out (+ 9 i)) (fib-lookup (ctx-ptr) (stack-addr x) 8 (cast u32 f)))))
  XDP_PASS)
