;;; `(tail-call m i)` goes on behind it when the slot is empty.
;;; packet: 00
;;; result: 2
;;; out: 1
(defmap jumps :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (tail-call jumps 3)
  (setf (getmap out 0) 1)
  XDP_PASS)
