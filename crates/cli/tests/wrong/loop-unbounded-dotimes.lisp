;; class: loop
(defprog p (:type :xdp)
  (let ((s 0))
    (dotimes (i (ctx rx-queue-index)) (incf s i))
    (if (> s 5) XDP_DROP XDP_PASS)))
