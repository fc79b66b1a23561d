;;; Forms that find a protocol's header within the packet's bounds. They work wherever a program sees packets (XDP, tc,
;;; cgroup …): a packet that is too short ends the program with its own type's pass value.
;;;
;;; Every `with-X` and `parse-X` takes, behind its variables,
;;;   :options t     VLAN tags, IPv4 options and IPv6 extension headers are followed, over IPv4 and IPv6 alike;
;;;   :over :ipv6    (or :ipv4) the network protocol; :ipv4 unless said, with :options either;
;;;   :at POINTER    where the packet begins (a tunnel's inner packet), instead of the program's own;
;;;   :from :ip      it begins with the network header (or :eth: with Ethernet); by the program's type unless said;
;;;   :ip NAME       NAME is bound to the network header as well (`with-X` only).

(defmacro with-packet ((data data-end &key (min-len 0) at) &body body)
  "BODY with DATA and DATA-END bound to the packet's ends; a packet shorter than MIN-LEN passes."
  `(let ((,data ,(or at '(packet-data)))
         (,data-end (packet-data-end)))
     (declare (ignorable ,data ,data-end))
     (unless (in-bounds ,data ,min-len ,data-end)
       (return (packet-pass)))
     ,@body))

(defun %link-length (from)
  (case from
    (:ip 0)
    (:eth '+eth-hdr-len+)
    ((nil) '(packet-link-length))
    (t (error ":from is :ip or :eth, not ~s" from))))

(defun %ip-version (data) `(>> (load u8 ,data) 4))

(defun %is-ip (data from over)
  "Whether the packet at DATA is of that network protocol, without a look at VLAN tags."
  (let ((type (ecase over (:ipv4 '+ethertype-ipv4+) (:ipv6 '+ethertype-ipv6+)))
        (version (ecase over (:ipv4 4) (:ipv6 6))))
    (case from
      (:ip `(= ,(%ip-version data) ,version))
      (:eth `(= (eth-type ,data) ,type))
      (t `(static-if (:packets-from-ip)
            (= ,(%ip-version data) ,version)
            (= (eth-type ,data) ,type))))))

(defun %walk-link (data end from off type short)
  "Forms that set TYPE to the Ethernet type and OFF to where its header begins, behind up to two VLAN tags."
  (let* ((h (gensym "TAG"))
         (eth `((setf ,type (eth-type ,data) ,off +eth-hdr-len+)
                (dotimes (,(gensym "I") 2)
                  (when (or (= ,type +ethertype-vlan+) (= ,type +ethertype-qinq+))
                    (let ((,h (+ ,data ,off)))
                      (unless (in-bounds ,h 4 ,end) ,short)
                      (setf ,type (vlan-type ,h)
                            ,off (+ ,off 4)))))))
         (ip `((setf ,off 0)
               (case ,(%ip-version data)
                 (4 (setf ,type +ethertype-ipv4+))
                 (6 (setf ,type +ethertype-ipv6+))))))
    (case from
      (:eth eth)
      (:ip ip)
      (t `((static-if (:packets-from-ip) (progn ,@ip) (progn ,@eth)))))))

(defun %walk-ipv4 (data end off proto short)
  "Forms that set PROTO to what is behind the IPv4 header at OFF, and OFF to where it begins. Fragments but the first
have nothing that is known behind."
  (let ((h (gensym "IP")) (n (gensym "N")))
    `((let ((,h (+ ,data ,off)))
        (unless (in-bounds ,h 20 ,end) ,short)
        (let ((,n (<< (ipv4-ihl ,h) 2)))
          (when (>= ,n 20)
            (setf ,proto (if (ipv4-fragment-offset ,h) 256 (ipv4-protocol ,h))
                  ,off (+ ,off ,n))))))))

(defun %walk-ipv6 (data end off proto short)
  "The same for IPv6, with up to eight extension headers."
  (let ((h (gensym "IP")) (e (gensym "EXT")) (next (gensym "NEXT")) (len (gensym "LEN")))
    `((let ((,h (+ ,data ,off)))
        (unless (in-bounds ,h 40 ,end) ,short)
        (setf ,proto (ipv6-nexthdr ,h)
              ,off (+ ,off 40)))
      (while (or (= ,proto 0) (= ,proto 43) (= ,proto 44) (= ,proto 51) (= ,proto 60) (= ,proto 135)) :max 8
        (let ((,e (+ ,data ,off)))
          (unless (in-bounds ,e 8 ,end) ,short)
          (let ((,next (cast u64 (load u8 ,e))) (,len (cast u64 (load u8 ,e 1))))
            (cond ((= ,proto 44)
                   (setf ,off (+ ,off 8))
                   (when (logand (ntohs (load u16 ,e 2)) #xfff8) (setf ,next 256)))
                  ((= ,proto 51) (setf ,off (+ ,off (<< (+ ,len 2) 2))))
                  (t (setf ,off (+ ,off (<< (+ ,len 1) 3)))))
            (setf ,proto ,next)))))))

(defun %walk (data end from over net off proto short)
  "Forms that set PROTO to the transport protocol (256: none), OFF to its header, NET to the network header."
  (let ((type (gensym "TYPE")))
    `((let ((,type u64 0))
        ,@(%walk-link data end from off type short)
        ,@(when net `((setf ,net ,off)))
        (cond
          ,@(unless (eq over :ipv6)
              `(((= ,type +ethertype-ipv4+) ,@(%walk-ipv4 data end off proto short))))
          ,@(unless (eq over :ipv4)
              `(((= ,type +ethertype-ipv6+) ,@(%walk-ipv6 data end off proto short)))))))))

(defun %link-here (from)
  "Bytes that must be there before a walk begins."
  (case from
    (:ip 1)
    (:eth '+eth-hdr-len+)
    (t '(static-if (:packets-from-ip) 1 +eth-hdr-len+))))

(defun %transport (name)
  "Of a protocol over IP: the protocol's number, bytes of its header with what is before it, where it begins in there,
and a test on the pointer to the transport header."
  (ecase name
    (tcp (list '+ip-proto-tcp+ '+tcp-hdr-len+ 0 nil))
    (udp (list '+ip-proto-udp+ '+udp-hdr-len+ 0 nil))
    (icmp (list '+ip-proto-icmp+ '+icmp-hdr-len+ 0 nil))
    (icmpv6 (list '+ip-proto-ipv6-icmp+ '+icmpv6-hdr-len+ 0 nil))
    (gre (list '+ip-proto-gre+ '+gre-hdr-len+ 0 nil))
    (dns (list '+ip-proto-udp+ 20 8
               (lambda (h port) `(or (= (udp-dst-port ,h) ,(or port '+port-dns+)) (= (udp-src-port ,h) ,(or port '+port-dns+))))))
    (vxlan (list '+ip-proto-udp+ 16 8 (lambda (h port) `(= (udp-dst-port ,h) ,(or port '+port-vxlan+)))))
    (geneve (list '+ip-proto-udp+ 16 8 (lambda (h port) `(= (udp-dst-port ,h) ,(or port '+port-geneve+)))))))

(defun %over (name options over)
  "The network protocol that a transport protocol is looked for over; nil for either."
  (or over
      (case name (icmp :ipv4) (icmpv6 :ipv6) (t (if options nil :ipv4)))))

(defun %bind-ip (ip data end net body)
  "BODY with IP bound to the network header, if it is wanted."
  (if ip
      `((let ((,ip (+ ,data ,net)))
          (declare (ignorable ,ip))
          (unless (in-bounds ,ip 20 ,end) (return (packet-pass)))
          ,@body))
      body))

(defun %with-transport (name arguments body)
  (destructuring-bind (data end var &key options at from over ip port) arguments
    (destructuring-bind (number length inside test) (%transport name)
      (let ((over (%over name options over)))
        (if options
            (let* ((net (when ip (gensym "NET"))) (off (gensym "OFF")) (proto (gensym "PROTO")) (h (if test (gensym "H") var))
                   (run (if test
                            `((when ,(funcall test h port)
                                (let ((,var (+ ,h ,inside)))
                                  (declare (ignorable ,var))
                                  ,@body)))
                            body)))
              `(with-packet (,data ,end :min-len ,(%link-here from) :at ,at)
                 (let (,@(when net `((,net u64 0))) (,off u64 0) (,proto u64 256))
                   ,@(%walk data end from over net off proto '(return (packet-pass)))
                   (when (= ,proto ,number)
                     (let ((,h (+ ,data ,off)))
                       (declare (ignorable ,h))
                       (unless (in-bounds ,h ,length ,end) (return (packet-pass)))
                       ,@(%bind-ip ip data end net run))))))
            (let* ((link (%link-length from))
                   (ip-length (ecase over (:ipv4 '+ipv4-hdr-len+) (:ipv6 '+ipv6-hdr-len+)))
                   (protocol (ecase over (:ipv4 'ipv4-protocol) (:ipv6 'ipv6-nexthdr)))
                   (start `(+ ,link ,ip-length))
                   (inner `((let ((,var (+ ,data (+ ,start ,inside))))
                              (declare (ignorable ,var))
                              ,@(if ip
                                    `((let ((,ip (+ ,data ,link)))
                                        (declare (ignorable ,ip))
                                        ,@body))
                                    body)))))
              `(with-packet (,data ,end :min-len (+ ,link ,ip-length ,length) :at ,at)
                 (when (and ,(%is-ip data from over)
                            (= (,protocol (+ ,data ,link)) ,number)
                            ,@(when test (list (funcall test `(+ ,data ,start) port))))
                   ,@inner))))))))

(defun %with-network (arguments types length over body)
  "BODY when the packet is of one of these Ethernet types, with VAR bound to its header."
  (destructuring-bind (data end var &key options at from) arguments
    (if options
        (let ((off (gensym "OFF")) (type (gensym "TYPE")))
          `(with-packet (,data ,end :min-len ,(%link-here from) :at ,at)
             (let ((,off u64 0) (,type u64 0))
               ,@(%walk-link data end from off type '(return (packet-pass)))
               (when (or ,@(mapcar (lambda (n) `(= ,type ,n)) types))
                 (let ((,var (+ ,data ,off)))
                   (declare (ignorable ,var))
                   (unless (in-bounds ,var ,length ,end) (return (packet-pass)))
                   ,@body)))))
        (let ((link (%link-length from)))
          `(with-packet (,data ,end :min-len (+ ,link ,length) :at ,at)
             (when ,(if over (%is-ip data from over) `(or ,@(mapcar (lambda (n) `(= (eth-type ,data) ,n)) types)))
               (let ((,var (+ ,data ,link)))
                 (declare (ignorable ,var))
                 ,@body)))))))

(defun %parse-transport (name data end keys)
  (destructuring-bind (&key options from over port) keys
    (destructuring-bind (number length inside test) (%transport name)
      (let ((over (%over name options over)) (d (gensym "DATA")) (e (gensym "END")))
        (if options
            (let ((off (gensym "OFF")) (proto (gensym "PROTO")) (h (gensym "H")) (walk (gensym "WALK")))
              `(let ((,d ,data) (,e ,end) (,off u64 0) (,proto u64 256))
                 (block ,walk
                   (unless (in-bounds ,d ,(%link-here from) ,e) (return-from ,walk 0))
                   ,@(%walk d e from over nil off proto `(return-from ,walk 0))
                   0)
                 (let ((,h (+ ,d ,off)))
                   (if (and (= ,proto ,number)
                            (in-bounds ,h ,length ,e)
                            ,@(when test (list (funcall test h port))))
                       (+ ,h ,inside)
                       0))))
            (let* ((link (%link-length from))
                   (ip-length (ecase over (:ipv4 '+ipv4-hdr-len+) (:ipv6 '+ipv6-hdr-len+)))
                   (protocol (ecase over (:ipv4 'ipv4-protocol) (:ipv6 'ipv6-nexthdr)))
                   (start `(+ ,link ,ip-length)))
              `(let ((,d ,data))
                 (if (and (in-bounds ,d (+ ,link ,ip-length ,length) ,end)
                          ,(%is-ip d from over)
                          (= (,protocol (+ ,d ,link)) ,number)
                          ,@(when test (list (funcall test `(+ ,d ,start) port))))
                     (+ ,d (+ ,start ,inside))
                     0))))))))

(defun %parse-network (data end keys types length over)
  (destructuring-bind (&key options from) keys
    (let ((d (gensym "DATA")) (e (gensym "END")))
      (if options
          (let ((off (gensym "OFF")) (type (gensym "TYPE")) (h (gensym "H")) (walk (gensym "WALK")))
            `(let ((,d ,data) (,e ,end) (,off u64 0) (,type u64 0))
               (block ,walk
                 (unless (in-bounds ,d ,(%link-here from) ,e) (return-from ,walk 0))
                 ,@(%walk-link d e from off type `(return-from ,walk 0))
                 0)
               (let ((,h (+ ,d ,off)))
                 (if (and (or ,@(mapcar (lambda (n) `(= ,type ,n)) types)) (in-bounds ,h ,length ,e)) ,h 0))))
          (let ((link (%link-length from)))
            `(let ((,d ,data))
               (if (and (in-bounds ,d (+ ,link ,length) ,end)
                        ,(if over (%is-ip d from over) `(or ,@(mapcar (lambda (n) `(= (eth-type ,d) ,n)) types))))
                   (+ ,d ,link)
                   0)))))))

(defmacro with-eth ((data data-end &rest more) &body body)
  "(with-eth (data data-end [eth] [:at pointer]) form…): the forms when the packet has an Ethernet header, with the name bound to it (it is where DATA is)."
  (let* ((named (and more (not (keywordp (first more)))))
         (keys (if named (rest more) more)))
    (destructuring-bind (&key at) keys
      `(with-packet (,data ,data-end :min-len +eth-hdr-len+ :at ,at)
         ,@(if named
               `((let ((,(first more) ,data))
                   (declare (ignorable ,(first more)))
                   ,@body))
               body)))))

(defmacro parse-eth (data data-end)
  "The Ethernet header at DATA, or 0 when it is not all there."
  (let ((d (gensym "DATA")))
    `(let ((,d ,data))
       (if (in-bounds ,d +eth-hdr-len+ ,data-end) ,d 0))))

(defmacro with-tc-packet (arguments &body body)
  `(with-packet ,arguments ,@body))

(defmacro with-tc-eth (arguments &body body)
  `(with-eth ,arguments ,@body))

(defmacro with-vlan (arguments &body body)
  "(with-vlan (data data-end vlan [:options t …]) form…): the forms when the packet is tagged (802.1Q or 802.1ad), with the name bound to its header."
  (%with-network arguments '(+ethertype-vlan+ +ethertype-qinq+) '+vlan-hdr-len+ nil body))

(defmacro with-tc-vlan (arguments &body body)
  `(with-vlan ,arguments ,@body))

(defmacro parse-vlan (data data-end &rest keys)
  "The header of the packet at DATA when it is tagged (802.1Q or 802.1ad), or 0."
  (%parse-network data data-end keys '(+ethertype-vlan+ +ethertype-qinq+) '+vlan-hdr-len+ nil))

(defmacro with-arp (arguments &body body)
  "(with-arp (data data-end arp [:options t …]) form…): the forms when the packet is ARP, with the name bound to its header."
  (%with-network arguments '(+ethertype-arp+) '+arp-hdr-len+ nil body))

(defmacro with-tc-arp (arguments &body body)
  `(with-arp ,arguments ,@body))

(defmacro parse-arp (data data-end &rest keys)
  "The header of the packet at DATA when it is ARP, or 0."
  (%parse-network data data-end keys '(+ethertype-arp+) '+arp-hdr-len+ nil))

(defmacro with-ipv4 (arguments &body body)
  "(with-ipv4 (data data-end ipv4 [:options t …]) form…): the forms when the packet is IPv4, with the name bound to its header."
  (%with-network arguments '(+ethertype-ipv4+) '+ipv4-hdr-len+ :ipv4 body))

(defmacro with-tc-ipv4 (arguments &body body)
  `(with-ipv4 ,arguments ,@body))

(defmacro parse-ipv4 (data data-end &rest keys)
  "The header of the packet at DATA when it is IPv4, or 0."
  (%parse-network data data-end keys '(+ethertype-ipv4+) '+ipv4-hdr-len+ :ipv4))

(defmacro with-ipv6 (arguments &body body)
  "(with-ipv6 (data data-end ipv6 [:options t …]) form…): the forms when the packet is IPv6, with the name bound to its header."
  (%with-network arguments '(+ethertype-ipv6+) '+ipv6-hdr-len+ :ipv6 body))

(defmacro with-tc-ipv6 (arguments &body body)
  `(with-ipv6 ,arguments ,@body))

(defmacro parse-ipv6 (data data-end &rest keys)
  "The header of the packet at DATA when it is IPv6, or 0."
  (%parse-network data data-end keys '(+ethertype-ipv6+) '+ipv6-hdr-len+ :ipv6))

(defmacro with-tcp (arguments &body body)
  "(with-tcp (data data-end tcp [:options t …]) form…): the forms when the packet is TCP, with the name bound to its header."
  (%with-transport 'tcp arguments body))

(defmacro with-tc-tcp (arguments &body body)
  `(with-tcp ,arguments ,@body))

(defmacro parse-tcp (data data-end &rest keys)
  "The header of the packet at DATA when it is TCP, or 0."
  (%parse-transport 'tcp data data-end keys))

(defmacro with-udp (arguments &body body)
  "(with-udp (data data-end udp [:options t …]) form…): the forms when the packet is UDP, with the name bound to its header."
  (%with-transport 'udp arguments body))

(defmacro with-tc-udp (arguments &body body)
  `(with-udp ,arguments ,@body))

(defmacro parse-udp (data data-end &rest keys)
  "The header of the packet at DATA when it is UDP, or 0."
  (%parse-transport 'udp data data-end keys))

(defmacro with-icmp (arguments &body body)
  "(with-icmp (data data-end icmp [:options t …]) form…): the forms when the packet is ICMP, with the name bound to its header."
  (%with-transport 'icmp arguments body))

(defmacro with-tc-icmp (arguments &body body)
  `(with-icmp ,arguments ,@body))

(defmacro parse-icmp (data data-end &rest keys)
  "The header of the packet at DATA when it is ICMP, or 0."
  (%parse-transport 'icmp data data-end keys))

(defmacro with-icmpv6 (arguments &body body)
  "(with-icmpv6 (data data-end icmpv6 [:options t …]) form…): the forms when the packet is ICMPv6, with the name bound to its header."
  (%with-transport 'icmpv6 arguments body))

(defmacro with-tc-icmpv6 (arguments &body body)
  `(with-icmpv6 ,arguments ,@body))

(defmacro parse-icmpv6 (data data-end &rest keys)
  "The header of the packet at DATA when it is ICMPv6, or 0."
  (%parse-transport 'icmpv6 data data-end keys))

(defmacro with-gre (arguments &body body)
  "(with-gre (data data-end gre [:options t …]) form…): the forms when the packet is GRE, with the name bound to its header."
  (%with-transport 'gre arguments body))

(defmacro with-tc-gre (arguments &body body)
  `(with-gre ,arguments ,@body))

(defmacro parse-gre (data data-end &rest keys)
  "The header of the packet at DATA when it is GRE, or 0."
  (%parse-transport 'gre data data-end keys))

(defmacro with-dns (arguments &body body)
  "(with-dns (data data-end dns [:options t …]) form…): the forms when the packet is DNS over UDP, with the name bound to its header."
  (%with-transport 'dns arguments body))

(defmacro with-tc-dns (arguments &body body)
  `(with-dns ,arguments ,@body))

(defmacro parse-dns (data data-end &rest keys)
  "The header of the packet at DATA when it is DNS over UDP, or 0."
  (%parse-transport 'dns data data-end keys))

(defmacro with-vxlan (arguments &body body)
  "(with-vxlan (data data-end vxlan [:options t …]) form…): the forms when the packet is VXLAN, with the name bound to its header."
  (%with-transport 'vxlan arguments body))

(defmacro with-tc-vxlan (arguments &body body)
  `(with-vxlan ,arguments ,@body))

(defmacro parse-vxlan (data data-end &rest keys)
  "The header of the packet at DATA when it is VXLAN, or 0."
  (%parse-transport 'vxlan data data-end keys))

(defmacro with-geneve (arguments &body body)
  "(with-geneve (data data-end geneve [:options t …]) form…): the forms when the packet is Geneve, with the name bound to its header."
  (%with-transport 'geneve arguments body))

(defmacro with-tc-geneve (arguments &body body)
  `(with-geneve ,arguments ,@body))

(defmacro parse-geneve (data data-end &rest keys)
  "The header of the packet at DATA when it is Geneve, or 0."
  (%parse-transport 'geneve data data-end keys))

;; What is behind a header. Those of a length that the packet says are to be tested again: (in-bounds p n end).

(defmacro ip-version (ip)
  "4 or 6, from the first byte of a network header."
  `(>> (load u8 ,ip) 4))

(defmacro vlan-payload (vlan)
  "What is behind a VLAN tag."
  `(+ ,vlan +vlan-hdr-len+))

(defmacro ipv4-payload (ip)
  "What is behind an IPv4 header with its options."
  (let ((p (gensym "IP")))
    `(let ((,p ,ip)) (+ ,p (<< (ipv4-ihl ,p) 2)))))

(defmacro ipv6-payload (ip)
  "What is behind an IPv6 header: an extension header or the payload."
  `(+ ,ip +ipv6-hdr-len+))

(defmacro tcp-payload (tcp)
  "What is behind a TCP header with its options."
  (let ((p (gensym "TCP")))
    `(let ((,p ,tcp)) (+ ,p (<< (tcp-doff ,p) 2)))))

(defmacro udp-payload (udp)
  "What is behind a UDP header."
  `(+ ,udp +udp-hdr-len+))

(defmacro dns-payload (dns)
  "The first question behind a DNS header."
  `(+ ,dns +dns-hdr-len+))

(defmacro gre-length (gre)
  "Bytes of a GRE header with its optional fields."
  (let ((p (gensym "GRE")))
    `(let ((,p ,gre))
       (<< (+ 1 (gre-checksum-present ,p) (gre-key-present ,p) (gre-sequence-present ,p)) 2))))

(defmacro gre-payload (gre)
  "The inner packet of a GRE header: of the protocol (gre-protocol gre), +ethertype-teb+ for Ethernet."
  (let ((p (gensym "GRE")))
    `(let ((,p ,gre)) (+ ,p (gre-length ,p)))))

(defmacro vxlan-payload (vxlan)
  "The inner Ethernet frame of a VXLAN header."
  `(+ ,vxlan +vxlan-hdr-len+))

(defmacro geneve-payload (geneve)
  "The inner packet of a Geneve header, behind its options."
  (let ((p (gensym "GENEVE")))
    `(let ((,p ,geneve)) (+ ,p (+ 8 (<< (geneve-opt-len ,p) 2))))))

;; Protocols that have no form of their own.

(defmacro with-ipv4-payload ((data data-end payload protocol length) &body body)
  "BODY when the packet is IPv4 of that protocol, with PAYLOAD bound to LENGTH bytes behind a header of 20."
  `(with-packet (,data ,data-end :min-len (+ (packet-link-length) +ipv4-hdr-len+ ,length))
     (when (and ,(%is-ip data nil :ipv4)
                (= (ipv4-protocol (+ ,data (packet-link-length))) ,protocol))
       (let ((,payload (+ ,data (+ (packet-link-length) +ipv4-hdr-len+))))
         (declare (ignorable ,payload))
         ,@body))))

(defmacro parse-ipv4-payload (data data-end protocol length)
  "LENGTH bytes behind the IPv4 header of 20 bytes of the packet at DATA, if it is of that protocol, or 0."
  (let ((d (gensym "DATA")))
    `(let ((,d ,data))
       (if (and (in-bounds ,d (+ (packet-link-length) +ipv4-hdr-len+ ,length) ,data-end)
                ,(%is-ip d nil :ipv4)
                (= (ipv4-protocol (+ ,d (packet-link-length))) ,protocol))
           (+ ,d (+ (packet-link-length) +ipv4-hdr-len+))
           0))))
