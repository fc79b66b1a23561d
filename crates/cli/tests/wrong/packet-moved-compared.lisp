;; class: packet-moved
(defprog main (:type :tc)
  (let ((data (ctx data)) (data-end (ctx data_end)))
    (when (= (skb-pull-data 34) 0)
      (when (<= (+ data 34) data-end)
        (return TC_ACT_SHOT))))
  TC_ACT_OK)
