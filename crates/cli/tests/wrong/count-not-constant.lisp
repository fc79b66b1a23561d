;; class: loop
(defprog main (:type :xdp)
  (let ((sum 0))
    (dotimes (i (get-prandom-u32))
      (incf sum i))
    sum))
