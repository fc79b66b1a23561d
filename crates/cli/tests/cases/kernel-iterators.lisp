;;; Iteration over what the kernel counts: the bits of a word, the tasks there are.
;;; packet: 00
;;; target: 6.18
;;; out: 3 70 1 1
(defstruct words (a u64) (b u64))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((w (make-words)) (n 0) (last 0) (me (>> (get-current-pid-tgid) 32)) (found 0))
    (setf (words-a w) 5 (words-b w) 64)
    (do-kernel (bit bits w 2)
      (incf n)
      (setf last (load u32 bit 0)))
    (setf (getmap out 0) n
          (getmap out 1) last)
    (with-rcu
      (do-kernel (task task)
        (when (= (-> task tgid) me) (setf found 1))))
    (setf (getmap out 2) found)
    (setf (getmap out 3) 1))
  XDP_PASS)
