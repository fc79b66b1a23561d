;; class: program-size
(defglobal n u64 0)
(defmacro times (n form)
  `(progn ,@(loop repeat n collect form)))
(defprog p (:type :xdp)
  (when (= (ctx rx_queue_index) 3)
    (times 92 (times 92 (setf n (* (+ n (ktime-get-ns)) 7)))))
  XDP_PASS)
