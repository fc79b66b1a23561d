;; class: malformed
;; codes: E0055 E0055 E0055 E0050
(defprog main (:type :xdp) XDP_PASS)
(deftest "drops ssh" (is (= (run-prog main (packet (eth))) XDP_PASS)))
(deftest)
(deftest nothing)
(deftest ports
  (is (= (run-prog main (packet (eth) (ipv4) (tcp :dport 22))) XDP_PASS)))
