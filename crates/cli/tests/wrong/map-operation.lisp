;; class: not-allowed
(defmap ring :type :ringbuf :max-entries 4096)
(defprog main (:type :xdp)
  (setf (getmap ring 0) 1)
  XDP_PASS)
