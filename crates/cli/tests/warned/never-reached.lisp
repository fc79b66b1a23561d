;; codes: W0015 W0022 W0015 W0015
(defprog main (:type :xdp)
  (cond ((= (ctx rx_queue_index) 1) (return XDP_DROP)
         XDP_PASS)
        (t XDP_PASS)
        ((= (ctx rx_queue_index) 2) XDP_DROP))
  (return XDP_PASS)
  (ktime-get-ns)
  XDP_DROP)
