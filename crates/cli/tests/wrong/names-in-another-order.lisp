;; class: unknown-name
;; codes: E0001 E0001 E0001 E0001 E0001 E0001 E0001
(defprog main (:type :xdp)
  (with-tcp (data end tcp)
    (when (= (tcp-dport tcp) 80) (return XDP_DROP)))
  (with-ipv4 (data end ip)
    (when (= (ip-saddr ip) (ipv4-daddr ip)) (return XDP_DROP)))
  (with-udp (data end udp)
    (when (= (udp_sport udp) 53) (return true)))
  (when false (get-current-tgid-pid))
  XDP_PASS)
