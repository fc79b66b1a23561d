;; class: context-field
(defprog main (:type :tc)
  (setf (ctx len) 3)
  TC_ACT_OK)
