;;; `if` without an else branch, `when`, `unless` and `cond` without a true test are 0.
;;; packet: 00 07
;;; out: 0 1 0 7 7 0 0 7 5 2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((z (load u8 d 0)) (s (load u8 d 1)))
      (setf (getmap out 0) (if z 5)
            (getmap out 1) (if s 1 2)
            (getmap out 2) (when z 5)
            (getmap out 3) (when s 5 s)
            (getmap out 4) (unless z 5 s)
            (getmap out 5) (unless s 5)
            (getmap out 6) (cond (z 1) ((= s 8) 2))
            (getmap out 7) (cond (z 1) (s))
            (getmap out 8) (cond ((< s 3) 4) ((< s 9) 5) (t 6))
            (getmap out 9) (if nil 1 2))))
  XDP_PASS)
