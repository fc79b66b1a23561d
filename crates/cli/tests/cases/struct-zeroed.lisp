;;; `make-` gives zeros, again in every round of a loop.
;;; packet: 07
;;; out: 0 0 35 0
(defstruct cell (a u64) (b u32))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (make-cell)))
      (setf (getmap out 0) (cell-a s) (getmap out 1) (cell-b s)))
    (let ((sum 0) (old 0))
      (dotimes (i 5)
        (let ((s (make-cell)))
          (incf old (cell-a s))
          (setf (cell-a s) (load u8 d 0))
          (incf sum (cell-a s))))
      (setf (getmap out 2) sum (getmap out 3) old)))
  XDP_PASS)
