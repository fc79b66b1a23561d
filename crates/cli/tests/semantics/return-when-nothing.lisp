;;; `(return (when nil 7))` gives 0, and so do `unless` and `cond` without a true branch, folded and at run time.
;;; packet: 00
;;; result: 0
;;; out: 0 0 0 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((never (load u8 d 0)))
      (setf (getmap out 0) 9 (getmap out 1) 9 (getmap out 2) 9 (getmap out 3) 9)
      (setf (getmap out 0) (when never 7)
            (getmap out 1) (unless (= never 0) 7)
            (getmap out 2) (cond (never 7) ((= never 1) 8))
            (getmap out 3) (if nil 7))))
  (return (when nil 7))
  XDP_PASS)
