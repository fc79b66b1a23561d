;; codes: W0408 W0408
(defprog main (:type :xdp)
  (let ((verdict XDP_PASS))
    (when (= (ctx rx_queue_index) 1)
      (setf verdict 7))
    verdict))
(defprog shape (:type :tc)
  (if (= (ctx mark) 1) 99 TC_ACT_OK))
