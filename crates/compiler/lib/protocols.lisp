;;; Network protocols: headers in the packet, and forms that parse them within its bounds.
;;; Works for XDP and tc alike; a packet that is too short ends the program with its own pass value.

(defconstant +ethertype-ipv4+ #x0800)
(defconstant +ethertype-ipv6+ #x86dd)
(defconstant +ethertype-arp+ #x0806)
(defconstant +ethertype-vlan+ #x8100)

(defconstant +eth-hdr-len+ 14)
(defconstant +ipv4-hdr-len+ 20)
(defconstant +ipv6-hdr-len+ 40)
(defconstant +tcp-hdr-len+ 20)
(defconstant +udp-hdr-len+ 8)
(defconstant +icmp-hdr-len+ 8)

(defconstant +ip-proto-icmp+ 1)
(defconstant +ip-proto-tcp+ 6)
(defconstant +ip-proto-udp+ 17)
(defconstant +ip-proto-ipv6-icmp+ 58)

(defconstant +tcp-fin+ #x01)
(defconstant +tcp-syn+ #x02)
(defconstant +tcp-rst+ #x04)
(defconstant +tcp-psh+ #x08)
(defconstant +tcp-ack+ #x10)
(defconstant +tcp-urg+ #x20)

(defheader eth
  (dst-mac-hi :offset 0  :type u32)
  (dst-mac-lo :offset 4  :type u16)
  (src-mac-hi :offset 6  :type u32)
  (src-mac-lo :offset 10 :type u16)
  (type       :offset 12 :type u16 :net-order t))

(defheader ipv4
  (ver-ihl   :offset 0  :type u8)
  (tos       :offset 1  :type u8)
  (total-len :offset 2  :type u16 :net-order t)
  (id        :offset 4  :type u16 :net-order t)
  (frag-off  :offset 6  :type u16 :net-order t)
  (ttl       :offset 8  :type u8)
  (protocol  :offset 9  :type u8)
  (checksum  :offset 10 :type u16)
  (src-addr  :offset 12 :type u32)
  (dst-addr  :offset 16 :type u32))

(defheader ipv6
  (ver-tc-flow :offset 0  :type u32 :net-order t)
  (payload-len :offset 4  :type u16 :net-order t)
  (nexthdr     :offset 6  :type u8)
  (hop-limit   :offset 7  :type u8)
  (src-addr-hi :offset 8  :type u64)
  (src-addr-lo :offset 16 :type u64)
  (dst-addr-hi :offset 24 :type u64)
  (dst-addr-lo :offset 32 :type u64))

(defheader icmp
  (type     :offset 0 :type u8)
  (code     :offset 1 :type u8)
  (checksum :offset 2 :type u16)
  (rest     :offset 4 :type u32))

(defheader tcp
  (src-port :offset 0  :type u16 :net-order t)
  (dst-port :offset 2  :type u16 :net-order t)
  (seq      :offset 4  :type u32 :net-order t)
  (ack-seq  :offset 8  :type u32 :net-order t)
  (data-off :offset 12 :type u8)
  (flags    :offset 13 :type u8)
  (window   :offset 14 :type u16 :net-order t)
  (checksum :offset 16 :type u16)
  (urgent   :offset 18 :type u16 :net-order t))

(defheader udp
  (src-port :offset 0 :type u16 :net-order t)
  (dst-port :offset 2 :type u16 :net-order t)
  (length   :offset 4 :type u16 :net-order t)
  (checksum :offset 6 :type u16))

(defmacro with-packet ((data data-end &key (min-len 0)) &body body)
  "BODY with DATA and DATA-END bound to the packet's ends; a packet shorter than MIN-LEN passes."
  `(let ((,data (packet-data))
         (,data-end (packet-data-end)))
     (declare (ignorable ,data ,data-end))
     (unless (in-bounds ,data ,min-len ,data-end)
       (return (packet-pass)))
     ,@body))

(defmacro with-eth ((data data-end) &body body)
  "BODY when the packet has an Ethernet header, which is at DATA."
  `(with-packet (,data ,data-end :min-len +eth-hdr-len+) ,@body))

(defmacro with-ipv4 ((data data-end ip) &body body)
  "BODY when the packet is IPv4, with IP bound to its header."
  `(with-packet (,data ,data-end :min-len (+ +eth-hdr-len+ +ipv4-hdr-len+))
     (when (= (eth-type ,data) +ethertype-ipv4+)
       (let ((,ip (+ ,data +eth-hdr-len+)))
         (declare (ignorable ,ip))
         ,@body))))

(defmacro with-ipv4-payload ((data data-end payload protocol length) &body body)
  "BODY when the packet is IPv4 of that protocol, with PAYLOAD bound to LENGTH bytes behind a header of 20."
  `(with-packet (,data ,data-end :min-len (+ +eth-hdr-len+ +ipv4-hdr-len+ ,length))
     (when (and (= (eth-type ,data) +ethertype-ipv4+)
                (= (ipv4-protocol (+ ,data +eth-hdr-len+)) ,protocol))
       (let ((,payload (+ ,data (+ +eth-hdr-len+ +ipv4-hdr-len+))))
         (declare (ignorable ,payload))
         ,@body))))

(defmacro with-tcp ((data data-end tcp) &body body)
  "BODY when the packet is TCP over IPv4, with TCP bound to its header."
  `(with-ipv4-payload (,data ,data-end ,tcp +ip-proto-tcp+ +tcp-hdr-len+) ,@body))

(defmacro with-udp ((data data-end udp) &body body)
  "BODY when the packet is UDP over IPv4, with UDP bound to its header."
  `(with-ipv4-payload (,data ,data-end ,udp +ip-proto-udp+ +udp-hdr-len+) ,@body))

(defmacro with-icmp ((data data-end icmp) &body body)
  "BODY when the packet is ICMP over IPv4, with ICMP bound to its header."
  `(with-ipv4-payload (,data ,data-end ,icmp +ip-proto-icmp+ +icmp-hdr-len+) ,@body))

(defmacro with-ipv6 ((data data-end ip) &body body)
  "BODY when the packet is IPv6, with IP bound to its header."
  `(with-packet (,data ,data-end :min-len (+ +eth-hdr-len+ +ipv6-hdr-len+))
     (when (= (eth-type ,data) +ethertype-ipv6+)
       (let ((,ip (+ ,data +eth-hdr-len+)))
         (declare (ignorable ,ip))
         ,@body))))

(defmacro with-tc-packet (arguments &body body)
  `(with-packet ,arguments ,@body))

(defmacro with-tc-eth (arguments &body body)
  `(with-eth ,arguments ,@body))

(defmacro with-tc-ipv4 (arguments &body body)
  `(with-ipv4 ,arguments ,@body))

(defmacro with-tc-tcp (arguments &body body)
  `(with-tcp ,arguments ,@body))

(defmacro with-tc-udp (arguments &body body)
  `(with-udp ,arguments ,@body))

(defmacro parse-eth (data data-end)
  "The Ethernet header at DATA, or 0 when it is not all there."
  (let ((d (gensym "DATA")))
    `(let ((,d ,data))
       (if (in-bounds ,d +eth-hdr-len+ ,data-end) ,d 0))))

(defmacro parse-ipv4 (data data-end)
  "The IPv4 header of the packet at DATA, or 0."
  (let ((d (gensym "DATA")))
    `(let ((,d ,data))
       (if (and (in-bounds ,d (+ +eth-hdr-len+ +ipv4-hdr-len+) ,data-end)
                (= (eth-type ,d) +ethertype-ipv4+))
           (+ ,d +eth-hdr-len+)
           0))))

(defmacro parse-ipv4-payload (data data-end protocol length)
  (let ((d (gensym "DATA")))
    `(let ((,d ,data))
       (if (and (in-bounds ,d (+ +eth-hdr-len+ +ipv4-hdr-len+ ,length) ,data-end)
                (= (eth-type ,d) +ethertype-ipv4+)
                (= (ipv4-protocol (+ ,d +eth-hdr-len+)) ,protocol))
           (+ ,d (+ +eth-hdr-len+ +ipv4-hdr-len+))
           0))))

(defmacro parse-tcp (data data-end)
  "The TCP header of the packet at DATA, or 0."
  `(parse-ipv4-payload ,data ,data-end +ip-proto-tcp+ +tcp-hdr-len+))

(defmacro parse-udp (data data-end)
  "The UDP header of the packet at DATA, or 0."
  `(parse-ipv4-payload ,data ,data-end +ip-proto-udp+ +udp-hdr-len+))
