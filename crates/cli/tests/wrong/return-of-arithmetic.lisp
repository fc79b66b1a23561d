;; class: return-range
(defprog main (:type :sock-ops :section "sockops")
  (let ((n (logand (ctx op) 3)))
    (+ n 1)))
