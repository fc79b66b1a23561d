;;; `return` inside of a loop leaves the program.
;;; loops: every way
;;; packet: 00000000 00090000
;;; result: 105
;;; out: 5
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (dotimes (i 8)
      (when (= (load u8 (+ d i) 0) 9)
        (setf (getmap out 0) i)
        (return (+ i 100)))))
  XDP_PASS)
