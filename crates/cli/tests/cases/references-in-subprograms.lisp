;;; Records that a subprogram submits or discards for its caller, on every path to its ends.
;;; packet: 05
;;; out: 1 1 1
(defmap ring :type :ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defsubprog send ((e (ptr u64)) (n u64)) void
  (store u64 e 0 n)
  (ringbuf-submit e 0))
(defsubprog send-large ((e (ptr u64)) (n u64)) u64
  (when (< n 4)
    (ringbuf-discard e 0)
    (return 0))
  (store u64 e 0 n)
  (ringbuf-submit e 0)
  1)
(defprog main (:type :xdp)
  (with-packet (d end :min-len 64)
    (let ((n (load u8 d 0)))
      (when-let ((e (ringbuf-reserve ring 8 0)))
        (send e n)
        (setf (getmap out 0) 1))
      (if-let (e (ringbuf-reserve ring 8 0))
          (setf (getmap out 1) (send-large e n))
          (setf (getmap out 1) 9))
      (with-ringbuf (e ring 8)
        (send e n)
        (setf (getmap out 2) 1))))
  XDP_PASS)
