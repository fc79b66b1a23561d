;;; Answers ICMP and ICMPv6 echo requests: the counterpart of xdp_icmp_echo.bpf.c.

(defmap replies :type :percpu-array :key u32 :value u64 :max-entries 2)

(defconstant +v4+ 0)
(defconstant +v6+ 1)

(defsubprog fold ((sum u64)) u64
  (+ (logand sum #xffff) (>> sum 16)))

(defmacro answer (eth icmp old new counter)
  "Sends the packet back to where it came from with the ICMP type NEW instead of OLD."
  `(progn
     (psetf (eth-dst-mac-hi ,eth) (eth-src-mac-hi ,eth)
            (eth-dst-mac-lo ,eth) (eth-src-mac-lo ,eth)
            (eth-src-mac-hi ,eth) (eth-dst-mac-hi ,eth)
            (eth-src-mac-lo ,eth) (eth-dst-mac-lo ,eth))
     (setf (icmp-type ,icmp) ,new
           (icmp-checksum ,icmp)
           (cast u16 (lognot (fold (fold (+ (logxor (icmp-checksum ,icmp) #xffff)
                                            (logxor ,old #xffff)
                                            ,new))))))
     (incf (getmap replies ,counter))
     (return XDP_TX)))

(defprog xdp_icmp_echo (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let ((ip (+ data +eth-hdr-len+)))
      (case (eth-type data)
        (#x0800
         (let ((icmp (+ ip 20)))
           (when (and (<= (+ icmp 8) end)
                      (= (ipv4-ver-ihl ip) #x45)
                      (= (ipv4-protocol ip) +ip-proto-icmp+)
                      (not (logtest (ipv4-frag-off ip) #x3fff))
                      (= (icmp-type icmp) 8)
                      (= (icmp-code icmp) 0))
             (psetf (ipv4-src-addr ip) (ipv4-dst-addr ip)
                    (ipv4-dst-addr ip) (ipv4-src-addr ip))
             (answer data icmp 8 0 +v4+))))
        (#x86dd
         (let ((icmp (+ ip 40)))
           (when (and (<= (+ icmp 8) end)
                      (= (ipv6-nexthdr ip) +ip-proto-ipv6-icmp+)
                      (= (icmp-type icmp) 128)
                      (= (icmp-code icmp) 0))
             (psetf (ipv6-src-addr-hi ip) (ipv6-dst-addr-hi ip)
                    (ipv6-src-addr-lo ip) (ipv6-dst-addr-lo ip)
                    (ipv6-dst-addr-hi ip) (ipv6-src-addr-hi ip)
                    (ipv6-dst-addr-lo ip) (ipv6-src-addr-lo ip))
             (answer data icmp 128 129 +v6+)))))))
  XDP_PASS)

(defun replied (version) (reduce #'+ (map-ref replies version)))

(defun ignored? (p)
  (multiple-value-bind (verdict after) (run-prog xdp_icmp_echo p)
    (and (= verdict XDP_PASS) (equalp after p) (zerop (replied +v4+)) (zerop (replied +v6+)))))

(deftest a-ping-is-answered
  (multiple-value-bind (verdict after)
      (run-prog xdp_icmp_echo
                (packet (eth :src "02:00:00:00:0a:0b" :dst "02:00:00:00:0c:0d")
                        (ipv4 :src "192.0.2.1" :dst "198.51.100.7" :ttl 3 :id 77) (icmp :id 513 :sequence 9)
                        (payload "abcdefgh" 3)))
    (is (= verdict XDP_TX))
    (is (equalp after (packet (eth :src "02:00:00:00:0c:0d" :dst "02:00:00:00:0a:0b")
                              (ipv4 :src "198.51.100.7" :dst "192.0.2.1" :ttl 3 :id 77)
                              (icmp :type 0 :id 513 :sequence 9) (payload "abcdefgh" 3)))
        "the way back, the checksum right, nothing else changed")
    (is (packet-ok? after)))
  (is (= (replied +v4+) 1))
  (is (= (replied +v6+) 0)))

(deftest a-ping-over-ipv6-is-answered
  (multiple-value-bind (verdict after)
      (run-prog xdp_icmp_echo
                (packet (eth :src "02:00:00:00:0a:0b" :dst "02:00:00:00:0c:0d")
                        (ipv6 :src "2001:db8:1:2:3:4:5:6" :dst "2001:db8:a:b:c:d:e:f" :hop-limit 3 :flow-label 9)
                        (icmpv6 :id 513 :sequence 9) (payload "abcdefgh")))
    (is (= verdict XDP_TX))
    (is (equalp after (packet (eth :src "02:00:00:00:0c:0d" :dst "02:00:00:00:0a:0b")
                              (ipv6 :src "2001:db8:a:b:c:d:e:f" :dst "2001:db8:1:2:3:4:5:6" :hop-limit 3 :flow-label 9)
                              (icmpv6 :type 129 :id 513 :sequence 9) (payload "abcdefgh"))))
    (is (packet-ok? after)))
  (is (= (replied +v4+) 0))
  (is (= (replied +v6+) 1)))

(defun expected-checksum (check old new)
  "The comment's formula, on words of two bytes in memory order."
  (let ((sum (+ (logxor check #xffff) (logxor old #xffff) new)))
    (dotimes (i 2) (setf sum (+ (logand sum #xffff) (ash sum -16))))
    (logxor sum #xffff)))

(defun checksum-after (p at)
  (multiple-value-bind (verdict after) (run-prog xdp_icmp_echo p)
    (is (= verdict XDP_TX))
    (+ (aref after at) (* 256 (aref after (1+ at))))))

(deftest checksums-are-updated-whatever-they-are
  ;; Also wrong ones, and those where the sum carries, once or twice.
  (dolist (check '(0 1 7 8 #x0800 #xf7ff #xf800 #xfff7 #xfff8 #xfffe #xffff #x1234))
    (is (= (checksum-after (packet (eth) (ipv4) (icmp :checksum (htons check)) (payload 4)) 36)
           (expected-checksum check 8 0)))
    (is (= (checksum-after (packet (eth) (ipv6) (icmpv6 :checksum (htons check)) (payload 4)) 56)
           (expected-checksum check 128 129)))))

(deftest what-is-no-echo-request-passes
  (is (ignored? (packet (eth) (ipv4) (icmp :type 0))))
  (is (ignored? (packet (eth) (ipv4) (icmp :type 3))))
  (is (ignored? (packet (eth) (ipv4) (icmp :type 128))))
  (is (ignored? (packet (eth) (ipv4) (icmp :code 1))))
  (is (ignored? (packet (eth) (ipv4 :protocol 58) (icmp))))
  (is (ignored? (packet (eth) (ipv4) (udp) (payload 8))))
  (is (ignored? (packet (eth) (ipv6) (icmpv6 :type 129))))
  (is (ignored? (packet (eth) (ipv6) (icmpv6 :type 8))))
  (is (ignored? (packet (eth) (ipv6) (icmpv6 :code 1))))
  (is (ignored? (packet (eth) (ipv6 :nexthdr 1) (icmpv6))))
  (is (ignored? (packet (eth) (ipv6) (hop-by-hop) (icmpv6)))))

(deftest only-plain-headers-are-answered
  (is (ignored? (packet (eth) (ipv4 :options 4) (icmp) (payload 8))))
  (is (ignored? (packet (eth) (ipv4 :ihl 4) (icmp))))
  (is (ignored? (packet (eth) (ipv4 :version 6) (icmp))))
  (is (ignored? (packet (eth) (ipv4 :more-fragments t) (icmp))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset 1) (icmp))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset #x1000) (icmp))))
  (is (ignored? (packet (eth) (vlan) (ipv4) (icmp))))
  (is (ignored? (packet (eth :type #x86dd) (ipv4) (icmp) (payload 20))))
  (is (ignored? (packet (eth) (arp))))
  (is (= (run-prog xdp_icmp_echo (packet (eth) (ipv4 :dont-fragment t :reserved t) (icmp))) XDP_TX)
      "these two bits make no fragment"))

(deftest eight-bytes-of-icmp-have-to-be-there
  (let ((v4 (packet (eth) (ipv4) (icmp) (payload 1)))
        (v6 (packet (eth) (ipv6) (icmpv6) (payload 1))))
    (dolist (p (list (subseq v4 0 41) (subseq v4 0 34) (subseq v4 0 14)
                     (subseq v6 0 61) (subseq v6 0 54) (subseq v6 0 42) (subseq v6 0 14)))
      (is (ignored? p)))
    (is (= (run-prog xdp_icmp_echo (subseq v4 0 42)) XDP_TX))
    (is (= (run-prog xdp_icmp_echo (subseq v6 0 62)) XDP_TX))))
