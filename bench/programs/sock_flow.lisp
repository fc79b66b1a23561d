;;; Accounts packets and bytes by 5-tuple, IPv4 and IPv6, in a socket filter: the counterpart of sock_flow.bpf.c.

(defconstant +ip-proto-sctp+ 132)
(defconstant +mapped-prefix+ #xffff0000)        ; 00 00 ff ff as a little-endian word

(defstruct ip-addr (words (array u32 4)))
(defstruct flow-key (src ip-addr) (dst ip-addr) (sport u16) (dport u16) (proto u8) (zero (array u8 3)))
(defstruct flow (packets u64) (bytes u64) (first u64) (last u64))
(defstruct v4-header (ver-ihl u8) (tos u8) (len u16) (id u16) (frag (be u16)) (ttl u8) (proto u8) (check u16)
  (src u32) (dst u32))
(defstruct v6-header (flow u32) (len u16) (next u8) (hops u8) (src ip-addr) (dst ip-addr))

(defmap flows :type :hash :key flow-key :value flow :max-entries 16384)

(defmacro load-from-network-header (offset to size)
  "SIZE bytes of the packet to memory; ends the program, unaccounted, when they are not there."
  `(unless (zerop (skb-load-bytes-relative (ctx-ptr) ,offset ,to ,size BPF_HDR_START_NET))
     (return 0)))

(defprog sock_flow (:type :socket-filter :section "socket" :license "GPL")
  (let ((key (make-flow-key))
        (transport 40)
        (fragment 0))
    (case (ntohs (ctx protocol))
      (#x0800
       (let ((ip (make-v4-header)))
         (load-from-network-header 0 ip (sizeof v4-header))
         (let ((ihl (logand (v4-header-ver-ihl ip) 15)))
           (when (< ihl 5) (return 0))
           (setf transport (* ihl 4)))
         (setf (ip-addr-words (flow-key-src-ptr key) 2) +mapped-prefix+
               (ip-addr-words (flow-key-src-ptr key) 3) (v4-header-src ip)
               (ip-addr-words (flow-key-dst-ptr key) 2) +mapped-prefix+
               (ip-addr-words (flow-key-dst-ptr key) 3) (v4-header-dst ip)
               (flow-key-proto key) (v4-header-proto ip)
               fragment (logand (v4-header-frag ip) #x1fff))))
      (#x86dd
       (let ((ip (make-v6-header)))
         (load-from-network-header 0 ip (sizeof v6-header))
         (memcpy (flow-key-src-ptr key) 0 (v6-header-src-ptr ip) 0 32)
         (setf (flow-key-proto key) (v6-header-next ip))))
      (t (return 0)))
    (when (zerop fragment)
      (case (flow-key-proto key)
        ((+ip-proto-tcp+ +ip-proto-udp+ +ip-proto-sctp+)
         (load-from-network-header transport (flow-key-sport-ptr key) 4))))
    (let ((now (ktime-get-ns)))
      (if-let (f (map-lookup flows key))
        (progn
          (atomic-incf (flow-packets f))
          (atomic-incf (flow-bytes f) (ctx len))
          (setf (flow-last f) now))
        (let ((fresh (make-flow)))
          (setf (flow-packets fresh) 1
                (flow-bytes fresh) (ctx len)
                (flow-first fresh) now
                (flow-last fresh) now)
          (map-update flows key fresh BPF_NOEXIST)))))
  (ctx len))

(defun address (text)
  "Sixteen bytes of an address, IPv4 in IPv6's clothes."
  (let ((bytes (if (position #\: text)
                   (ip6-bytes text)
                   (append (make-list 10 :initial-element 0) '(255 255) (ip4-bytes text)))))
    (make-ip-addr-record
     :words (loop for i from 0 below 16 by 4
                  collect (htonl (reduce (lambda (a b) (+ (* a 256) b)) (subseq bytes i (+ i 4))))))))

(defun flow-of (src dst sport dport proto)
  (map-ref flows (make-flow-key-record :src (address src) :dst (address dst)
                                       :sport (htons sport) :dport (htons dport) :proto proto)))

(defun accounted (src dst sport dport proto)
  "Packets and bytes of a flow; nil when there is none."
  (let ((f (flow-of src dst sport dport proto)))
    (and f (list (flow-packets f) (flow-bytes f)))))

(defun result (p)
  "What the filter says of a packet; -1 when the packet is another one afterwards."
  (multiple-value-bind (verdict after) (run-prog sock_flow p)
    (if (equalp after p) verdict -1)))

;; A socket filter sees packets from the network header on: 14 bytes less.
(defun whole? (p) (= (result p) (- (length p) 14)))
(defun unaccounted? (p) (and (= (result p) 0) (= (map-count flows) 0)))

(deftest flows-are-accounted
  (is (whole? (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (tcp :src-port 4000 :dst-port 80))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 4000 80 6) '(1 40)))
  (is (whole? (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (tcp :src-port 4000 :dst-port 80) (payload 60))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 4000 80 6) '(2 140)))
  (is (= (map-count flows) 1)))

(deftest every-part-of-the-key-counts
  (flet ((see (src dst sport dport)
           (is (whole? (packet (eth) (ipv4 :src src :dst dst) (udp :src-port sport :dst-port dport))))))
    (see "10.0.0.1" "10.0.0.2" 1 2)
    (see "10.0.0.3" "10.0.0.2" 1 2)
    (see "10.0.0.1" "10.0.0.3" 1 2)
    (see "10.0.0.1" "10.0.0.2" 3 2)
    (see "10.0.0.1" "10.0.0.2" 1 3)
    (see "10.0.0.2" "10.0.0.1" 2 1))
  (is (whole? (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (tcp :src-port 1 :dst-port 2))))
  (is (= (map-count flows) 7))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 1 2 17) '(1 28)))
  (is (equal (accounted "10.0.0.2" "10.0.0.1" 2 1 17) '(1 28)))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 1 2 6) '(1 40))))

(deftest ipv6-flows-are-accounted
  (is (whole? (packet (eth) (ipv6 :src "2001:db8:1:2:3:4:5:6" :dst "2001:db8::7") (udp :src-port 5 :dst-port 53))))
  (is (equal (accounted "2001:db8:1:2:3:4:5:6" "2001:db8::7" 5 53 17) '(1 48)))
  (is (whole? (packet (eth) (ipv6 :src "2001:db8::1" :dst "2001:db8::7") (tcp :src-port 5 :dst-port 53))))
  (is (equal (accounted "2001:db8::1" "2001:db8::7" 5 53 6) '(1 60)))
  (is (whole? (packet (eth) (ipv6) (icmpv6))))
  (is (equal (accounted "fd00::1" "fd00::2" 0 0 58) '(1 48)))
  (is (whole? (packet (eth) (ipv6) (hop-by-hop) (udp))))
  (is (equal (accounted "fd00::1" "fd00::2" 0 0 0) '(1 56)) "of extension headers the first one is the protocol")
  (is (= (map-count flows) 4)))

(deftest only-some-protocols-have-ports
  (is (whole? (packet (eth) (ipv4) (icmp))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 0 0 1) '(1 28)))
  (is (whole? (packet (eth) (ipv4 :protocol 132) (payload '(0 7 0 9) 8))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 7 9 132) '(1 32)) "SCTP has")
  (dolist (protocol '(5 7 16 18 131 133 136))
    (is (whole? (packet (eth) (ipv4 :protocol protocol) (payload '(0 7 0 9) 8))))
    (is (equal (accounted "10.0.0.1" "10.0.0.2" 0 0 protocol) '(1 32)))))

(deftest options-move-the-ports
  (is (whole? (packet (eth) (ipv4 :options 40) (udp :src-port 5 :dst-port 53))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 5 53 17) '(1 68)))
  (is (whole? (packet (eth) (ipv4 :options 4) (udp :src-port 5 :dst-port 53))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 5 53 17) '(2 100))))

(deftest later-fragments-have-no-ports
  (is (whole? (packet (eth) (ipv4 :more-fragments t) (udp :src-port 5 :dst-port 53))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 5 53 17) '(1 28)))
  (is (whole? (packet (eth) (ipv4 :fragment-offset 1) (udp :src-port 5 :dst-port 53))))
  (is (whole? (packet (eth) (ipv4 :fragment-offset #x1000) (payload 2))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 0 0 17) '(1 28)))
  (is (whole? (packet (eth) (ipv4 :fragment-offset 185 :protocol 6) (payload 2))))
  (is (equal (accounted "10.0.0.1" "10.0.0.2" 0 0 6) '(1 22))))

(deftest other-packets-are-not-accounted
  (is (unaccounted? (packet (eth) (arp))))
  (is (unaccounted? (packet (eth) (payload 60))))
  (is (unaccounted? (packet (eth) (ipv4 :ihl 4) (udp))))
  (is (unaccounted? (packet (eth) (ipv4 :ihl 0) (udp)))))

(deftest a-load-of-ports-that-fails
  (let ((v4 (packet (eth) (ipv4) (udp))) (v6 (packet (eth) (ipv6) (tcp))))
    (is (unaccounted? (subseq v4 0 37)))
    (is (unaccounted? (subseq v4 0 34)))
    (is (unaccounted? (subseq v6 0 57)))
    (is (unaccounted? (packet (eth) (ipv4 :ihl 15) (udp) (payload 35))))
    (is (whole? (subseq v4 0 38)))
    (is (whole? (subseq v6 0 58)))
    (is (= (map-count flows) 2))))

(deftest a-load-of-a-header-that-fails
  (is (unaccounted? (subseq (packet (eth) (ipv4 :protocol 1) (payload 9)) 0 33)))
  (is (unaccounted? (subseq (packet (eth) (ipv6 :nexthdr 59) (payload 9)) 0 53))))

(deftest times-are-kept
  (flet ((see (now) (run-prog sock_flow (packet (eth) (ipv4) (udp :src-port 5 :dst-port 53)) :clock now))
         (times () (let ((f (flow-of "10.0.0.1" "10.0.0.2" 5 53 17))) (list (flow-first f) (flow-last f)))))
    (is (= (see 5000) 28))
    (is (equal (times) '(5000 5000)))
    (is (= (see 7000) 28))
    (is (equal (times) '(5000 7000)))
    (is (equal (accounted "10.0.0.1" "10.0.0.2" 5 53 17) '(2 56)))))
