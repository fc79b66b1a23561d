;;; Loops and callbacks that are left while a record made around them is held: it is submitted, and only once.
;;; loops: every way
;;; packet: 03
;;; out: 4 3 12 7 5 8 2 1
(defmap ring :type :ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defmap few :type :hash :key u32 :value u64 :max-entries 8)

;; Out of the function, from a loop whose end is known only to it.
(defsubprog by-loop ((limit u64)) u64
  (with-ringbuf (e ring 8)
    (store u64 e 0 0)
    (dotimes (i limit :max 40)
      (store u64 e 0 (+ (load u64 e 0) 1))
      (when (= i 3) (return (load u64 e 0)))))
  99)

;; Out of a block around the record.
(defsubprog by-block ((limit u64)) u64
  (block found
    (with-ringbuf (e ring 16)
      (store u64 e 0 limit)
      (dotimes (i limit :max 30)
        (when (= i 3) (return-from found i))))
    98))

;; Two records and two loops, left from inside of both.
(defsubprog by-two ((limit u64)) u64
  (with-ringbuf (a ring 8)
    (store u64 a 0 7)
    (dotimes (i limit :max 20)
      (with-ringbuf (b ring 8)
        (store u64 b 0 i)
        (dotimes (j limit :max 20)
          (when (and (= i 2) (= j 5)) (return (+ i j 5)))))))
  97)

;; What was submitted before is not submitted again.
(defsubprog by-hand ((limit u64)) u64
  (with-ringbuf (e ring 8)
    (store u64 e 0 limit)
    (ringbuf-discard e 0)
    (dotimes (i limit :max 20)
      (when (= i 6) (return 7))))
  96)

(defprog main (:type :xdp :license "GPL")
  (with-packet (data end :min-len 1)
    (let ((n (+ (load u8 data 0) 7)))
      (setf (getmap out 0) (by-loop n)
            (getmap out 1) (by-block n)
            (getmap out 2) (by-two n)
            (getmap out 3) (by-hand n))
      ;; A callback of the user's own.
      (setf (getmap out 4)
            (block b
              (with-ringbuf (e ring 8)
                (store u64 e 0 1)
                (bpf-loop 9 (lambda (i) (when (> i 4) (return-from b i)) 0)))
              95))
      ;; One in another, with a record of each.
      (setf (getmap out 5)
            (block b
              (with-ringbuf (e ring 8)
                (store u64 e 0 1)
                (bpf-loop 9 (lambda (i)
                              (with-ringbuf (f ring 8)
                                (store u64 f 0 i)
                                (bpf-loop 9 (lambda (j)
                                              (when (and (= i 3) (= j 5)) (return-from b (+ i j)))
                                              0)))
                              0)))
              94))
      (setf (getmap few 1) 2)
      (setf (getmap out 6)
            (block b
              (with-ringbuf (e ring 8)
                (store u64 e 0 1)
                (do-map (k v few)
                  (store u64 e 0 v)
                  (return-from b (load u64 e 0))))
              93))
      (setf (getmap out 7) 1)
      (with-ringbuf (e ring 8)
        (store u64 e 0 0)
        (bpf-loop 3 (lambda (i) (when (> i 1) (return XDP_PASS)) 0)))
      XDP_DROP)))
