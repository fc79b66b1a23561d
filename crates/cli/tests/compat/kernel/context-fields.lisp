;;; `(ctx FIELD i)` and `setf` of context fields by name and by offset.
;;; packet: 000000000000 000000000000 0800
;;; result: 0
;;; out: 7 9 7 5
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :tc)
  (setf (ctx mark) 7
        (ctx cb 2) 9)
  (setf (getmap out 0) (ctx mark)
        (getmap out 1) (ctx cb 2)
        (getmap out 2) (ctx u32 8))
  (setf (ctx u32 8) 5)
  (setf (getmap out 3) (ctx mark))
  TC_ACT_OK)
