;;; `when`, `unless` and `cond` without a true branch have the value 0, also in `return`.
;;; packet: 05
;;; result: 0
;;; out: 0 0 0 7 1
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((k (load u8 d 0)))
      (setf (getmap out 0) (when (= k 6) 9)
            (getmap out 1) (unless (= k 5) 9)
            (getmap out 2) (cond ((= k 6) 9) ((= k 7) 8))
            (getmap out 3) (cond ((= k 6) 9) ((= k 5) 7))
            (getmap out 4) (cond ((= k 6) 9) ((= k 5))))
      (return (when (= k 6) 7))))
  XDP_PASS)
