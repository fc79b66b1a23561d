;; codes: W0420 W0420
(defprog no-udp (:type :xdp)
  (with-udp (data end udp) (return XDP_DROP))
  XDP_PASS)
(defprog in-cgroup (:type :cgroup-skb :section "cgroup_skb/egress")
  (with-udp (data end udp) (return 0))
  1)
(deftest drops-udp
  (is (= (run-prog no-udp (packet (ipv4) (udp))) XDP_DROP))
  (is (= (run-prog in-cgroup (packet (ipv6) (udp))) 0))
  ;; These are right.
  (is (= (run-prog no-udp (packet (eth) (ipv4) (udp))) XDP_DROP))
  (is (= (run-prog in-cgroup (packet (eth) (ipv6) (udp))) 0)))
