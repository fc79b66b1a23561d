;; codes: W0415 W0415
(defprog by-hand (:type :cgroup-skb)
  (let ((data (ctx data)))
    (when (in-bounds data 34 (ctx data_end))
      (when (= (ntohs (load u16 data 12)) #x0800) (return 0))
      (when (= (load u16 data 12) (htons #x86dd)) (return 0))
      (when (= (load u16 data 12) 7) (return 0))))
  1)
