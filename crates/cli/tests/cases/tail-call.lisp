;;; Tail calls through a program array filled by its declaration: to a program, to none, and from a subprogram, whose
;;; caller gets what the other program returns.
;;; packet: 03
;;; result: 1
;;; out: 1 2 3 0 5
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defmap jumps :type :prog-array :key-size 4 :value-size 4 :max-entries 4 :values (nil second third))
(defsubprog jump ((i u32)) u64
  (setf (getmap out 4) 5)
  (tail-call jumps i)
  7)
(defprog main (:type :xdp)
  (setf (getmap out 0) 1)
  (tail-call jumps 3)
  (tail-call jumps 1)
  (setf (getmap out 3) 99)
  XDP_PASS)
(defprog second (:type :xdp)
  (setf (getmap out 1) 2)
  (return (jump 2)))
(defprog third (:type :xdp)
  (setf (getmap out 2) 3)
  XDP_DROP)
