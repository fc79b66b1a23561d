;;; Subprograms that the kernel verifies on their own: numbers, signed and narrow, memory that may be null, the
;;; context, nothing as a result.
;;; packet: 07
;;; out: 12 -5 250 33 0 64 5 77
(defstruct pair (a u64) (b u32))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog sum ((x u64) (y u64)) u64 :global t (+ x y))
(defsubprog halve ((x i32)) i32 :global t (/ x 2))
(defsubprog cut ((x u8)) u8 :global t (- x 6))
(defsubprog add-up ((p (ptr pair))) u64 :global t
  (if p (+ (pair-a p) (pair-b p)) 0))
(defsubprog packet-length () u64 :global t (- (ctx data-end) (ctx data)))
(defsubprog note ((i u32) (v u64)) void :global t
  (dotimes (k 5) (when (= k i) (setf (getmap out i) v))))
(defsubprog store-b ((p (ptr pair)) (v u32)) void :global t
  (when p (setf (pair-b p) v)))
(defprog main (:type :xdp)
  (let ((p (make-pair)))
    (setf (pair-a p) 30 (pair-b p) 3)
    (setf (getmap out 0) (sum 5 7)
          (getmap out 1) (halve -10)
          (getmap out 2) (cut 0)
          (getmap out 3) (add-up p)
          (getmap out 4) (add-up 0)
          (getmap out 5) (packet-length))
    (note 4 0)
    (setf (getmap out 6) 5)
    (store-b p 47)
    (setf (getmap out 7) (add-up p)))
  XDP_PASS)
