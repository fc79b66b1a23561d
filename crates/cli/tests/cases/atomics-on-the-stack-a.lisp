;;; Fetching atomics on the stack, where two paths stored different numbers: the verifier of 6.18 takes the old value
;;; that one path read for that of both, and drops the branch of the other. On the stack they are plain.
;;; packet: 01
;;; out: 1 6 21
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x 0))
      (stack-addr x)
      (if (= (load u8 d 0) 1) (setf x 5) (setf x 7))
      (let ((old (atomic-fetch-add (stack-addr x) 0 1)))
        (setf (getmap out 0) (if (= old 5) 1 2)
              (getmap out 1) x)
        (atomic-fetch-or (stack-addr x) 0 16)
        (let ((seen (atomic-cmpxchg (stack-addr x) 0 22 21)))
          (setf (getmap out 2) (if (= seen 22) x (- x 1)))))))
  XDP_PASS)
