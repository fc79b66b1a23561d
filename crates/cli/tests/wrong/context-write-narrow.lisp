;; class: context-field
(defprog main (:type :tc)
  (setf (ctx u8 8) 1)
  TC_ACT_OK)
