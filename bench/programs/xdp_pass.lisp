;;; Lets every packet through: the counterpart of xdp_pass.bpf.c.

(defprog xdp_pass (:type :xdp :section "xdp" :license "GPL")
  XDP_PASS)

(deftest every-packet-passes-as-it-is
  (dolist (p (list (packet (eth) (ipv4) (tcp :syn t) (payload 100))
                   (packet (eth) (vlan) (ipv6) (udp))
                   (packet (eth) (arp))
                   (packet (payload 14))))
    (multiple-value-bind (verdict after) (run-prog xdp_pass p)
      (is (= verdict XDP_PASS))
      (is (equalp after p)))))
