;; class: arguments
(defprog main (:type :tc)
  (with-ipv4 (data end ip)
    (setf (ipv4-dst-addr ip) "10.0.0.7"))
  TC_ACT_OK)
