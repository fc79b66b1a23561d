;; class: stack-size
(defprog p (:type :xdp)
  (let ((table (array u64 100)))
    (dotimes (i 100) (setf (aref table i) (ktime-get-ns)))
    (if (= (aref table 7) 1) XDP_DROP XDP_PASS)))
