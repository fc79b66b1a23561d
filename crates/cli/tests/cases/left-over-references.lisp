;;; Loops and callbacks that are left while a reference or region of outside is held: it ends behind them.
;;; loops: every way
;;; packet: 05
;;; target: 6.18
;;; out: 5 6 7 8 9 5
(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defsubprog with-task ((n u64)) u64
  (let ((me (cast u32 (get-current-pid-tgid))))
    (with-reference (task (task-from-pid me))
      (dotimes (i n :max 60)
        (when (= i 5) (return (if (= (-> task pid) me) i 90)))))
    91))

(defsubprog with-regions ((n u64)) u64
  (with-rcu
    (with-preempt-disabled
      (dotimes (i n :max 60)
        (when (= i 6) (return i)))))
  92)

(defsubprog without-interrupts ((n u64)) u64
  (with-irqs-disabled
    (dotimes (i n :max 60)
      (when (= i 7) (return i))))
  93)

(defsubprog called-back ((n u64)) u64
  (let ((me (cast u32 (get-current-pid-tgid))))
    (with-rcu
      (with-reference (task (task-from-pid me))
        (bpf-loop n (lambda (i)
                      (with-reference (other (task-from-pid me))
                        (bpf-loop n (lambda (j) (when (and (= i 2) (= j 6)) (return (+ i j))) 0)))
                      0))))
    94))

(defprog main (:type :xdp :license "GPL")
  (with-packet (data end :min-len 1)
    (let ((n (+ (load u8 data 0) 7)))
      (setf (getmap out 0) (with-task n)
            (getmap out 1) (with-regions n)
            (getmap out 2) (without-interrupts n)
            (getmap out 3) (called-back n))
      (setf (getmap out 4)
            (block b
              (with-rcu
                (bpf-loop n (lambda (i) (when (= i 9) (return-from b i)) 0)))
              95))
      (setf (getmap out 5) (load u8 data 0))
      XDP_PASS)))
