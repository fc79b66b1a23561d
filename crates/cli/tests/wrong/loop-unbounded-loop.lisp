;; class: loop
(defprog p (:type :xdp)
  (let ((n 0))
    (loop (incf n) (when (> n 10) (return XDP_DROP)))))
