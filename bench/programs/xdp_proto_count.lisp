;;; Counts packets and bytes by IP protocol: the counterpart of xdp_proto_count.bpf.c.

(defconstant +other+ 255)

(defstruct counter (packets u64) (bytes u64))
(defmap counters :type :percpu-array :key u32 :value counter :max-entries 256)

(defprog xdp_proto_count (:type :xdp :section "xdp" :license "GPL")
  (let* ((data (xdp-data))
         (end (xdp-data-end))
         (slot (cond ((> (+ data 14) end) +other+)
                     ((= (eth-type data) +ethertype-ipv4+)
                      (if (<= (+ data 34) end) (ipv4-protocol (+ data 14)) +other+))
                     ((= (eth-type data) +ethertype-ipv6+)
                      (if (<= (+ data 54) end) (ipv6-nexthdr (+ data 14)) +other+))
                     (t +other+))))
    (when-let ((c (map-lookup counters slot)))
      (incf (counter-packets c))
      (incf (counter-bytes c) (- end data))))
  XDP_PASS)

(defun packets-of (slot) (reduce #'+ (map 'list #'counter-packets (map-ref counters slot))))
(defun bytes-of (slot) (reduce #'+ (map 'list #'counter-bytes (map-ref counters slot))))

(defun counted-as (slot p)
  "Whether the packet, and nothing else, is counted there, and passes as it is."
  (let ((packets (loop for i below 256 collect (packets-of i)))
        (bytes (bytes-of slot)))
    (multiple-value-bind (verdict after) (run-prog xdp_proto_count p)
      (incf (nth slot packets))
      (and (= verdict XDP_PASS)
           (equalp after p)
           (equal packets (loop for i below 256 collect (packets-of i)))
           (= (bytes-of slot) (+ bytes (length p)))))))

(deftest ipv4-by-its-protocol
  (is (counted-as 6 (packet (eth) (ipv4) (tcp))))
  (is (counted-as 6 (packet (eth) (ipv4 :options 8) (tcp) (payload 1000))))
  (is (counted-as 17 (packet (eth) (ipv4) (udp))))
  (is (counted-as 1 (packet (eth) (ipv4) (icmp))))
  (is (counted-as 0 (packet (eth) (ipv4 :protocol 0))))
  (is (counted-as 254 (packet (eth) (ipv4 :protocol 254) (payload 3))))
  (is (counted-as 255 (packet (eth) (ipv4 :protocol 255))))
  (is (= (packets-of 6) 2))
  (is (= (bytes-of 6) (+ 54 1062))))

(deftest ipv6-by-its-next-header
  (is (counted-as 6 (packet (eth) (ipv6) (tcp))))
  (is (counted-as 58 (packet (eth) (ipv6) (icmpv6))))
  (is (counted-as 0 (packet (eth) (ipv6) (hop-by-hop) (udp))) "the extension header, not what is behind it")
  (is (counted-as 44 (packet (eth) (ipv6) (fragment) (udp)))))

(deftest version-and-header-length-are-not-looked-at
  (is (counted-as 17 (packet (eth) (ipv4 :version 6 :ihl 0) (udp))))
  (is (counted-as 17 (packet (eth) (ipv6 :version 4) (udp))))
  (is (counted-as 17 (packet (eth) (ipv4 :fragment-offset 100) (udp)))))

(deftest everything-else-is-255
  (is (counted-as 255 (packet (eth) (arp))))
  (is (counted-as 255 (packet (eth) (vlan) (ipv4) (tcp))))
  (is (counted-as 255 (packet (eth :type #x0008) (ipv4) (tcp))))
  (is (counted-as 255 (packet (eth) (payload 60)))))

(deftest the-fixed-header-has-to-be-there
  (let ((v4 (packet (eth) (ipv4) (tcp)))
        (v6 (packet (eth) (ipv6) (tcp))))
    (is (counted-as 6 (subseq v4 0 34)))
    (is (counted-as 255 (subseq v4 0 33)))
    (is (counted-as 255 (subseq v4 0 14)))
    (is (counted-as 6 (subseq v6 0 54)))
    (is (counted-as 255 (subseq v6 0 53)))
    (is (counted-as 255 (subseq v6 0 14)))
    (is (= (bytes-of 255) (+ 33 14 53 14)))))

;; The kernel's test run takes no such packet; a clock keeps the test out of it.
(deftest less-than-a-link-header-is-255
  (is (= (run-prog xdp_proto_count (subseq (packet (eth) (ipv4) (tcp)) 0 13) :clock 0) XDP_PASS))
  (is (= (packets-of 255) 1))
  (is (= (bytes-of 255) 13)))
