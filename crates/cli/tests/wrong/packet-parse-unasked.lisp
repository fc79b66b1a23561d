;; class: null
(defprog main (:type :xdp)
  (let ((tcp (parse-tcp (xdp-data) (xdp-data-end))))
    (if (= (tcp-dst-port tcp) 23) XDP_DROP XDP_PASS)))
