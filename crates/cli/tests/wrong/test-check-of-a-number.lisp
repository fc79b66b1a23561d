;; class: arguments
(defprog p (:type :xdp) XDP_PASS)
(deftest passes
  (is (run-prog p (packet (eth) (ipv4)))))
