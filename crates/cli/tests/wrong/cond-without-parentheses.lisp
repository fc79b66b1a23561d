;; class: malformed
;; codes: E0004 E0004 E0004
(defmap sizes :type :array :key u32 :value u64 :max-entries 3)
(defprog main (:type :xdp)
  (let ((len (- (ctx data_end) (ctx data))))
    (cond (< len 100) (incf (getmap sizes 0))
          (t (incf (getmap sizes 2))))
    (cond (incf (getmap sizes 1)))
    (cond len 100)
    (cond ((< len 100) (incf (getmap sizes 0)))
          ((zerop len))
          (len (incf (getmap sizes 1)))
          (t (incf (getmap sizes 2)))))
  XDP_PASS)
