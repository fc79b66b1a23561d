;;; The answers of a ring buffer to the flags 0 to 8: copies, records reserved and given back, questions.
;;; packet: 00
;;; out: 0 0 0 0 -22 -22 -22 -22 -22 1 0 0 0 0 0 0 0 0 48 4096 0 144 0 0 0 0 0
(defmap r :type :ringbuf :max-entries 4096)
(defstruct event (n u64))
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :xdp)
  (let ((s (make-event :n 3)))
    (dotimes (i 9)
      (let ((f (cast u64 i)))
        (setf (getmap out i) (ringbuf-output r s (sizeof event) f))
        (when-let ((e (ringbuf-reserve r (sizeof event) f)))
          (setf (getmap out (+ 9 i)) 1 (event-n e) 5)
          (ringbuf-discard e f))
        (when-let ((e (ringbuf-reserve r (sizeof event) 0)))
          (setf (event-n e) 5)
          (ringbuf-submit e f))
        (setf (getmap out (+ 18 i)) (cast i64 (ringbuf-query r f))))))
  XDP_PASS)
