;;; `:options t`: VLAN tags, IPv4 options, IPv6 extension headers, fragments, and packets that end too early.

(defmap seen :type :array :key u32 :value u64 :max-entries 4)

(defprog find-tcp (:type :xdp)
  (with-tcp (data end tcp :options t :ip ip)
    (setf (getmap seen 0) (tcp-dst-port tcp)
          (getmap seen 1) (ip-version ip))
    (return XDP_DROP))
  XDP_PASS)

(defprog find-tcp-tc (:type :tc)
  (with-tc-tcp (data end tcp :options t)
    (setf (getmap seen 0) (tcp-dst-port tcp))
    (return TC_ACT_SHOT))
  TC_ACT_OK)

(defprog parse-it (:type :xdp)
  (let ((tcp (parse-tcp (xdp-data) (xdp-data-end) :options t)))
    (when tcp
      (setf (getmap seen 0) (tcp-dst-port tcp))
      (return XDP_DROP)))
  XDP_PASS)

(defun finds (pkt)
  "Whether all three ways find TCP port 80 in the packet; :none when none does."
  (let ((ports (list
                (progn (map-clear seen) (and (= (run-prog find-tcp pkt) XDP_DROP) (map-ref seen 0)))
                (progn (map-clear seen) (and (= (run-prog find-tcp-tc pkt) TC_ACT_SHOT) (map-ref seen 0)))
                (progn (map-clear seen) (and (= (run-prog parse-it pkt) XDP_DROP) (map-ref seen 0))))))
    (cond ((equal ports '(80 80 80)) t)
          ((equal ports '(nil nil nil)) :none)
          (t ports))))

(deftest plain
  (is (eq (finds (packet (eth) (ipv4) (tcp))) t))
  (is (eq (finds (packet (eth) (ipv6) (tcp))) t)))

(deftest vlans
  (is (eq (finds (packet (eth) (vlan :id 5) (ipv4) (tcp))) t))
  (is (eq (finds (packet (eth) (vlan :id 5) (vlan :id 6) (ipv6) (tcp))) t) "QinQ")
  (is (eq (finds (packet (eth) (vlan) (vlan) (vlan) (ipv4) (tcp))) :none) "a third tag is not followed"))

(deftest ipv4-options
  (is (eq (finds (packet (eth) (ipv4 :options '(148 4 0 0)) (tcp))) t) "router alert")
  (is (eq (finds (packet (eth) (ipv4 :options 40) (tcp))) t) "as many as there can be")
  (is (eq (finds (packet (eth) (ipv4 :ihl 4) (tcp))) :none) "a header of 16 bytes is none"))

(deftest ipv6-extensions
  (is (eq (finds (packet (eth) (ipv6) (hop-by-hop) (tcp))) t))
  (is (eq (finds (packet (eth) (ipv6) (hop-by-hop) (routing) (dest-opts :options 20) (tcp))) t))
  (is (eq (finds (packet (eth) (ipv6) (ah) (tcp))) t))
  (is (eq (finds (packet (eth) (ipv6) (fragment :more-fragments t) (tcp))) t) "a first fragment has the header")
  (is (eq (finds (packet (eth) (ipv6) (fragment :fragment-offset 10) (tcp))) :none) "a later one does not")
  (is (eq (finds (packet (eth) (vlan) (ipv6) (hop-by-hop) (dest-opts) (dest-opts) (dest-opts) (dest-opts) (dest-opts)
                         (dest-opts) (dest-opts) (tcp)))
          t) "eight of them")
  (is (eq (finds (packet (eth) (ipv6) (hop-by-hop) (dest-opts) (dest-opts) (dest-opts) (dest-opts) (dest-opts)
                         (dest-opts) (dest-opts) (dest-opts) (tcp)))
          :none) "nine are too many"))

(deftest fragments-of-ipv4
  (is (eq (finds (packet (eth) (ipv4 :more-fragments t) (tcp))) t))
  (is (eq (finds (packet (eth) (ipv4 :fragment-offset 100) (tcp))) :none)))

(deftest short-packets-pass
  (let ((whole (packet (eth) (vlan) (ipv6) (hop-by-hop) (tcp))))
    (loop for n from 14 below (length whole)
          do (is (eq (finds (subseq whole 0 n)) :none)))
    (is (eq (finds whole) t))))

(deftest other-protocols
  (is (eq (finds (packet (eth) (ipv4) (udp) (payload 40))) :none))
  (is (eq (finds (packet (eth) (arp))) :none)))

(deftest the-network-header
  (run-prog find-tcp (packet (eth) (vlan) (ipv6) (dest-opts) (tcp)))
  (is (= (map-ref seen 1) 6))
  (run-prog find-tcp (packet (eth) (ipv4 :options 8) (tcp)))
  (is (= (map-ref seen 1) 4)))

(defprog udp-over-6 (:type :xdp)
  (with-udp (data end udp :over :ipv6) (return XDP_DROP))
  (with-udp (data end udp :options t :over :ipv4) (return XDP_TX))
  XDP_PASS)

(deftest over-one-of-them
  (is (= (run-prog udp-over-6 (packet (eth) (ipv6) (udp) (payload 20))) XDP_DROP))
  (is (= (run-prog udp-over-6 (packet (eth) (ipv4 :options 4) (udp) (payload 20))) XDP_TX))
  (is (= (run-prog udp-over-6 (packet (eth) (ipv6) (dest-opts) (udp) (payload 20))) XDP_PASS)))

(defmacro answer (n)
  `(progn (setf (getmap seen 2) ,n) (return XDP_PASS)))

(defun answer-of (program pkt)
  (map-clear seen)
  (run-prog program pkt)
  (map-ref seen 2))

(defprog networks (:type :xdp)
  (with-ipv4 (data end ip :options t) (answer (ipv4-ttl ip)))
  (with-ipv6 (data end ip :options t) (answer (ipv6-hop-limit ip)))
  (with-arp (data end arp :options t) (answer (arp-operation arp)))
  XDP_PASS)

(deftest network-headers-behind-tags
  (is (= (answer-of networks (packet (eth) (vlan) (ipv4 :ttl 41) (udp) (payload 20))) 41))
  (is (= (answer-of networks (packet (eth) (vlan) (vlan) (ipv6 :hop-limit 42) (udp) (payload 20))) 42))
  (is (= (answer-of networks (packet (eth) (vlan) (arp :operation 2))) 2))
  (is (= (answer-of networks (packet (eth :type #x88b5) (payload 60))) 0)))

(defprog parsers (:type :xdp)
  (let ((d (xdp-data)) (e (xdp-data-end)))
    (let ((arp (parse-arp d e)) (vlan (parse-vlan d e)) (ip6 (parse-ipv6 d e)) (udp (parse-udp d e)) (icmp (parse-icmp d e))
          (icmp6 (parse-icmpv6 d e)) (gre (parse-gre d e)) (ip4 (parse-ipv4 d e :options t)) (dns (parse-dns d e))
          (vxlan (parse-vxlan d e)) (geneve (parse-geneve d e)))
      (cond (arp (answer 1)) (vlan (answer 2)) (dns (answer (dns-id dns))) (vxlan (answer (vxlan-vni vxlan)))
            (geneve (answer (geneve-vni geneve))) (udp (answer 4)) (icmp (answer 5)) (icmp6 (answer 6)) (gre (answer 7))
            (ip6 (answer 3)) (ip4 (answer 8)))))
  XDP_PASS)

(deftest parse-forms
  (is (= (answer-of parsers (packet (eth) (arp))) 1))
  (is (= (answer-of parsers (packet (eth) (vlan) (ipv4) (udp))) 2))
  (is (= (answer-of parsers (packet (eth) (ipv6) (tcp))) 3))
  (is (= (answer-of parsers (packet (eth) (ipv4) (udp))) 4))
  (is (= (answer-of parsers (packet (eth) (ipv4) (icmp))) 5))
  (is (= (answer-of parsers (packet (eth) (ipv6) (icmpv6))) 6))
  (is (= (answer-of parsers (packet (eth) (ipv4) (gre) (ipv4) (udp))) 7))
  (is (= (answer-of parsers (packet (eth) (ipv4) (tcp))) 8))
  (is (= (answer-of parsers (packet (eth) (ipv4) (udp) (dns :id 500))) 500))
  (is (= (answer-of parsers (packet (eth) (ipv4) (udp) (vxlan :vni 501) (eth) (arp))) 501))
  (is (= (answer-of parsers (packet (eth) (ipv4) (udp) (geneve :vni 502) (eth) (arp))) 502))
  (is (= (answer-of parsers (packet (eth :type 5) (payload 60))) 0)))

(defprog parsed-tunnels (:type :xdp)
  (let ((vxlan (parse-vxlan (xdp-data) (xdp-data-end) :options t)))
    (when vxlan (answer (vxlan-vni vxlan))))
  XDP_PASS)

(deftest parse-a-tunnel-behind-extensions
  (is (= (answer-of parsed-tunnels (packet (eth) (ipv6) (dest-opts) (udp) (vxlan :vni 503) (eth) (arp))) 503)))
