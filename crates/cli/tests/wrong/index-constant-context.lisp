;; class: constant-index
(defprog main (:type :tc)
  (setf (ctx cb 5) 1)
  TC_ACT_OK)
