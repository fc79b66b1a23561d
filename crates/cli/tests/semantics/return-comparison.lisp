;;; `(return (= x 3))` gives 1 or 0, of a program and of a subprogram.
;;; packet: 0304
;;; result: 1
;;; out: 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog three ((x u64)) u64 :global t
  (return (= x 3))
  9)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)))
      (setf (getmap out 0) (three x)
            (getmap out 1) (three (load u8 d 1)))
      (return (= x 3))))
  XDP_PASS)
