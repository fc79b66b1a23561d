;;; A program array with programs in it from the start.
;;; packet: 00
;;; out: 1 2
;;; result: 7
(defmap next :type :prog-array :max-entries 4 :values ((1 second) (3 first)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) 1)
  (tail-call next 1)
  0)
(defprog second (:type :xdp)
  (setf (getmap out 1) 2)
  (tail-call next 2)
  7)
(defprog first (:type :xdp) 9)
