;;; A tail call without a program to go to goes on behind it.
;;; packet: 00
;;; result: 2
;;; out: 1
(defmap jumps :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (tail-call jumps 1)
  (setf (getmap out 0) 1)
  XDP_PASS)
