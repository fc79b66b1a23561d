;; class: arguments
;; codes: E0055 E0055
(defprog p (:type :xdp) XDP_PASS)
(deftest passes
  (is (run-prog p (packet (eth) (ipv4))) XDP_DROP)
  (when t
    (is 5 5)
    (is (= 1 1) "one")
    (is (= 1 1) (format nil "~a" 1))))
