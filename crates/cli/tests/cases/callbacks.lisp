;;; Functions that helpers call back: they see and assign what is around them, and may leave it.
;;; packet: 04
;;; result: 1
;;; out: 7 21 6 3 17000 80 108 41 99 5
(defstruct acc (n u64) (small u16))
(defmap h :type :hash :key u32 :value u64 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog above ((i u64)) u64 (> i 3))
(defsubprog nested () u64
  (let ((sum 0))
    (bpf-loop 10 (lambda (i)
                   (bpf-loop 10 (lambda (j)
                                  (incf sum)
                                  (when (= (+ i j) 7) (return (+ 100 sum)))
                                  0))
                   0))
    0))
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((sum 0) (last 0) (acc (make-acc)) (keys 0) (values 0))
      (setf (getmap out 0) (bpf-loop 10 (lambda (i) (incf sum i) (setf last i) (= i 6)))
            (getmap out 1) sum
            (getmap out 2) last)
      (setf (getmap h 3) 30 (getmap h 5) 40 (getmap h 9) 10)
      (setf (getmap out 3)
            (for-each-map-elem h (lambda (k v)
                                   (incf keys (deref k)) (incf values (deref v)) (incf (acc-small acc))
                                   (setf (deref v) (load u8 d 0)) 0)))
      (setf (getmap out 4) (* 1000 keys) (getmap out 5) values)
      (setf (getmap out 6) (nested)
            (getmap out 7) (1+ (block found
                                 (bpf-loop 10 (lambda (i) (when (= i (getmap h 5)) (return-from found (* i 10))) 0))
                                 99))
            (getmap out 8) (block found
                             (bpf-loop 3 (lambda (i) (when (= i 4) (return-from found (* i 10))) 0))
                             99)
            (getmap out 9) (bpf-loop (ctx rx-queue-index) #'above))
      (setf (getmap out 9) (bpf-loop 50 #'above))
      (bpf-loop 9 (lambda (i) (when (= (ctx rx-queue-index) 0) (return XDP_DROP)) 0))))
  XDP_PASS)
