;;; Every header of the library, read field by field from packets of every protocol.

(defmap out :type :array :key u32 :value u64 :max-entries 32)

(defmacro put (&rest values)
  `(setf ,@(let ((i -1)) (mapcan (lambda (v) (list `(getmap out ,(incf i)) v)) values))))

(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog read-eth (:type :xdp)
  (with-eth (data end)
    (put (eth-type data) (eth-dst-mac-hi data) (eth-dst-mac-lo data) (eth-src-mac-hi data) (eth-src-mac-lo data)
         (load u8 (eth-src-mac-ptr data) 5)))
  XDP_PASS)

(deftest ethernet
  (run-prog read-eth (packet (eth :dst "01:02:03:04:05:06" :src "0a:0b:0c:0d:0e:0f" :type #x1234) (payload 50)))
  (is (equal (outs 6) (list #x1234 #x04030201 #x0605 #x0d0c0b0a #x0f0e 15))))

(defprog read-vlan (:type :xdp)
  (with-vlan (data end vlan)
    (put (vlan-tci vlan) (vlan-pcp vlan) (vlan-dei vlan) (vlan-id vlan) (vlan-type vlan))
    (return XDP_DROP))
  XDP_PASS)

(deftest vlan-tag
  (is (= (run-prog read-vlan (packet (eth) (vlan :pcp 5 :dei t :id 42) (ipv4) (udp) (payload 20))) XDP_DROP))
  (is (equal (outs 5) (list #xb02a 5 1 42 #x0800)))
  (is (= (run-prog read-vlan (packet (eth) (ipv4) (udp) (payload 20))) XDP_PASS) "no tag"))

(defprog read-arp (:type :xdp)
  (with-arp (data end arp)
    (put (arp-hardware arp) (arp-protocol arp) (arp-hardware-len arp) (arp-protocol-len arp) (arp-operation arp)
         (arp-sender-addr arp) (arp-target-addr arp) (arp-sender-mac-hi arp) (arp-sender-mac-lo arp)
         (arp-target-mac-hi arp) (arp-target-mac-lo arp))
    (when (= (arp-operation arp) +arp-reply+) (return XDP_DROP)))
  XDP_PASS)

(deftest arp-header
  (is (= (run-prog read-arp (packet (eth) (arp :operation 2 :sender-addr "192.0.2.1" :target-addr "192.0.2.9"
                                               :sender-mac "02:00:00:00:00:07" :target-mac "02:00:00:00:01:08")))
         XDP_DROP))
  (is (equal (outs 11) (list 1 #x0800 6 4 2 (ip4 "192.0.2.1") (ip4 "192.0.2.9") (mac-hi "02:00:00:00:00:07")
                             (mac-lo "02:00:00:00:00:07") (mac-hi "02:00:00:00:01:08") (mac-lo "02:00:00:00:01:08")))))

(defprog read-ipv4 (:type :xdp)
  (with-ipv4 (data end ip)
    (put (ipv4-version ip) (ipv4-ihl ip) (ipv4-dscp ip) (ipv4-ecn ip) (ipv4-total-len ip) (ipv4-id ip)
         (ipv4-dont-fragment ip) (ipv4-more-fragments ip) (ipv4-fragment-offset ip) (ipv4-ttl ip) (ipv4-protocol ip)
         (ipv4-src-addr ip) (ipv4-dst-addr ip) (ipv4-checksum-ok? ip) (ipv4-tos ip) (ipv4-frag-off ip) (ipv4-ver-ihl ip)
         (ip-version ip)))
  XDP_PASS)

(deftest ipv4-header
  (run-prog read-ipv4 (packet (eth) (ipv4 :src "192.0.2.1" :dst "198.51.100.7" :tos #xb9 :id 777 :dont-fragment t
                                          :fragment-offset 5 :ttl 3)
                              (udp) (payload "abc")))
  (is (equal (outs 18) (list 4 5 46 1 31 777 1 0 5 3 17 (ip4 "192.0.2.1") (ip4 "198.51.100.7") 1 #xb9 #x4005 #x45 4)))
  (run-prog read-ipv4 (packet (eth) (ipv4 :checksum 1) (udp) (payload "abc")))
  (is (= (map-ref out 13) 0) "a wrong checksum is seen"))

(defprog read-ipv6 (:type :xdp)
  (with-ipv6 (data end ip)
    (put (ipv6-version ip) (ipv6-traffic-class ip) (ipv6-flow-label ip) (ipv6-payload-len ip) (ipv6-nexthdr ip)
         (ipv6-hop-limit ip) (ipv6-src-addr-hi ip) (ipv6-src-addr-lo ip) (ipv6-dst-addr-hi ip) (ipv6-dst-addr-lo ip)
         (ipv6-ver-tc-flow ip) (load u8 (ipv6-src-addr-ptr ip) 15)))
  XDP_PASS)

(deftest ipv6-header
  (run-prog read-ipv6 (packet (eth) (ipv6 :src "2001:db8::1" :dst "fe80::a:b" :traffic-class 17 :flow-label #xabcde :hop-limit 9)
                              (udp :src-port #x1234) (payload "abcd")))
  (is (equal (outs 12) (list 6 17 #xabcde 12 17 9 (ip6-hi "2001:db8::1") (ip6-lo "2001:db8::1") (ip6-hi "fe80::a:b")
                             (ip6-lo "fe80::a:b") #x611abcde 1))))

(defprog read-tcp (:type :tc)
  (with-tc-tcp (data end tcp)
    (put (tcp-src-port tcp) (tcp-dst-port tcp) (tcp-seq tcp) (tcp-ack-seq tcp) (tcp-doff tcp) (tcp-flags tcp)
         (tcp-syn tcp) (tcp-ack tcp) (tcp-fin tcp) (tcp-rst tcp) (tcp-psh tcp) (tcp-urg tcp) (tcp-ece tcp) (tcp-cwr tcp)
         (tcp-window tcp) (tcp-urgent tcp) (tcp-data-off tcp))
    (return TC_ACT_SHOT))
  TC_ACT_OK)

(deftest tcp-header
  (is (= (run-prog read-tcp (packet (eth) (ipv4) (tcp :src-port 5 :dst-port 443 :seq 4000000000 :ack-seq 7 :syn t :psh t :cwr t
                                                      :window 512 :urgent 3 :options '(2 4 5 180))))
         TC_ACT_SHOT))
  (is (equal (outs 17) (list 5 443 4000000000 7 6 #x8a 1 0 0 0 1 0 0 1 512 3 #x60)))
  (is (= (run-prog read-tcp (packet (eth) (ipv4) (udp) (payload 20))) TC_ACT_OK) "UDP is not TCP"))

(defprog read-udp (:type :xdp)
  (with-udp (data end udp)
    (put (udp-src-port udp) (udp-dst-port udp) (udp-length udp) (udp-checksum udp))
    (let ((p (udp-payload udp)))
      (when (in-bounds p 2 end) (put (load u8 p) (load u8 p 1))))
    (return XDP_DROP))
  XDP_PASS)

(deftest udp-header
  (is (= (run-prog read-udp (packet (eth) (ipv4) (udp :src-port 1 :dst-port 2) (payload "hi"))) XDP_DROP))
  (is (equal (outs 3) (list 104 105 10))))

(defprog read-icmp (:type :xdp)
  (with-icmp (data end icmp)
    (put (icmp-type icmp) (icmp-code icmp) (icmp-id icmp) (icmp-sequence icmp) (icmp-mtu icmp))
    (return XDP_DROP))
  (with-icmpv6 (data end icmp)
    (put (icmpv6-type icmp) (icmpv6-code icmp) (icmpv6-id icmp) (icmpv6-sequence icmp) (icmpv6-mtu icmp))
    (return XDP_TX))
  XDP_PASS)

(deftest icmp-headers
  (is (= (run-prog read-icmp (packet (eth) (ipv4) (icmp :type 8 :id 77 :sequence 5) (payload 20))) XDP_DROP))
  (is (equal (outs 5) (list +icmp-echo+ 0 77 5 5)))
  (is (= (run-prog read-icmp (packet (eth) (ipv6) (icmpv6 :type 2 :rest 1280))) XDP_TX))
  (is (equal (outs 5) (list +icmpv6-packet-too-big+ 0 0 1280 1280))))

(defprog read-dns (:type :xdp)
  (with-dns (data end dns)
    (put (dns-id dns) (dns-response dns) (dns-opcode dns) (dns-recursion-desired dns) (dns-rcode dns) (dns-questions dns)
         (dns-answers dns) (dns-authorities dns) (dns-additionals dns) (dns-flags dns) (dns-truncated dns)
         (dns-authoritative dns) (dns-recursion-available dns))
    (let ((q (dns-payload dns)))
      (when (in-bounds q 4 end) (put (load u8 q))))
    (return XDP_DROP))
  XDP_PASS)

(deftest dns-header
  (is (= (run-prog read-dns (packet (eth) (ipv4) (udp) (dns :id 99 :question "example.com"))) XDP_DROP))
  (is (equal (outs 7) (list 7 0 0 1 0 1 0)) "the first label has seven letters")
  (is (= (run-prog read-dns (packet (eth) (ipv4) (udp :src-port 53 :dst-port 5000)
                                    (dns :response t :rcode 3 :recursion-available t :question "a.b" :answer "192.0.2.1")))
         XDP_DROP))
  (is (equal (outs 13) (list 1 1 0 1 3 1 1 0 0 #x8183 0 0 1)))
  (is (= (run-prog read-dns (packet (eth) (ipv4) (udp :dst-port 5353) (payload 40))) XDP_PASS)))

(defprog write-fields (:type :xdp)
  (with-tcp (data end tcp)
    (let ((ip (+ data 14)))
      (setf (eth-type data) #x88b5
            (ipv4-dscp ip) 46
            (ipv4-dont-fragment ip) 1
            (ipv4-fragment-offset ip) 8191
            (ipv4-ihl ip) 5
            (tcp-dst-port tcp) 8080
            (tcp-seq tcp) #xdeadbeef
            (tcp-syn tcp) 0
            (tcp-ack tcp) 1)))
  XDP_PASS)

(deftest fields-are-places
  (multiple-value-bind (verdict out) (run-prog write-fields (packet (eth) (ipv4 :ecn 2) (tcp :syn t :psh t)))
    (is (= verdict XDP_PASS))
    (is (= (aref out 12) #x88))
    (setf (aref out 12) 8 (aref out 13) 0)
    (is (= (packet-field out :ipv4 :dscp) 46))
    (is (= (packet-field out :ipv4 :ecn) 2) "what is beside it stays")
    (is (= (packet-field out :ipv4 :dont-fragment) 1))
    (is (= (packet-field out :ipv4 :fragment-offset) 8191))
    (setf (aref out 20) 0 (aref out 21) 0)
    (is (= (packet-field out :tcp :dst-port) 8080))
    (is (= (packet-field out :tcp :seq) #xdeadbeef))
    (is (= (packet-field out :tcp :syn) 0))
    (is (= (packet-field out :tcp :ack) 1))
    (is (= (packet-field out :tcp :psh) 1))))
