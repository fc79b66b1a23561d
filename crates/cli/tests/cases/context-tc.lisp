;;; Fields of a tc program's context, read and written.
;;; packet: 000000000000 000000000000 0800
;;; out: 64 0 1234 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :tc)
  (setf (getmap out 0) (ctx len)
        (getmap out 1) (ctx mark))
  (setf (ctx mark) 1234)
  (setf (ctx cb 2) 1)
  (setf (getmap out 2) (ctx mark)
        (getmap out 3) (ctx cb 2))
  TC_ACT_OK)
