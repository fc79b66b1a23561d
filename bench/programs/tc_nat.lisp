;;; Destination NAT for IPv4 TCP and UDP: the counterpart of tc_nat.bpf.c.

(defconstant +ip-offset+ +eth-hdr-len+)
(defconstant +ip-check-offset+ (+ +ip-offset+ 10))
(defconstant +ip-dst-offset+ (+ +ip-offset+ 16))

;; Addresses and ports as they stand in the packet.
(defstruct nat-key (addr u32) (port u16) (proto u8) (zero u8))
(defstruct nat-rule (addr u32) (port u16) (unused u16) (mark u32) (unused2 u32) (hits u64))

(defmap rules :type :hash :key nat-key :value nat-rule :max-entries 1024)

(defmacro must (form)
  "FORM, a helper's call; the packet is dropped when it fails."
  `(unless (zerop ,form) (return TC_ACT_SHOT)))

(defprog tc_nat (:type :tc :section "tc" :license "GPL")
  (with-ipv4 (data end ip)
    (let* ((ihl (logand (ipv4-ver-ihl ip) 15))
           (proto (ipv4-protocol ip))
           (l4 (+ +ip-offset+ (* ihl 4)))
           (l4-len 20)
           (check (+ l4 16))
           (flags 0)
           (ports (+ data l4)))
      (when (or (< ihl 5) (logtest (ipv4-frag-off ip) #x3fff))
        (return TC_ACT_OK))
      (case proto
        (+ip-proto-tcp+)
        (+ip-proto-udp+ (setf l4-len 8
                              check (+ l4 6)
                              flags BPF_F_MARK_MANGLED_0))
        (t (return TC_ACT_OK)))
      (when (and (<= (+ ports 4) end)
                 (<= (+ l4 l4-len) (ctx len)))
        (let ((key (make-nat-key))
              (old-addr (ipv4-dst-addr ip))
              (old-port (load u16 ports 2)))
          (setf (nat-key-addr key) old-addr
                (nat-key-port key) old-port
                (nat-key-proto key) proto)
          (when-let ((rule (map-lookup rules key)))
            (atomic-incf (nat-rule-hits rule))
            (let ((new-addr u32 (nat-rule-addr rule))
                  (new-port u16 (nat-rule-port rule))
                  (mark (nat-rule-mark rule)))
              (when (/= new-addr old-addr)
                (must (l4-csum-replace (ctx-ptr) check old-addr new-addr (logior flags BPF_F_PSEUDO_HDR 4)))
                (must (l3-csum-replace (ctx-ptr) +ip-check-offset+ old-addr new-addr 4))
                (must (skb-store-bytes (ctx-ptr) +ip-dst-offset+ (stack-addr new-addr) 4 0)))
              (when (/= new-port old-port)
                (must (l4-csum-replace (ctx-ptr) check old-port new-port (logior flags 2)))
                (must (skb-store-bytes (ctx-ptr) (+ l4 2) (stack-addr new-port) 2 0)))
              (unless (zerop mark)
                (setf (ctx mark) mark))))))))
  TC_ACT_OK)

(defun field-number (address) (htonl (reduce (lambda (a b) (+ (* a 256) b)) (ip4-bytes address))))

(defun rule (address port protocol to-address to-port &optional (mark 0))
  (setf (map-ref rules (key address port protocol))
        (make-nat-rule-record :addr (field-number to-address) :port (htons to-port) :mark mark)))

(defun key (address port protocol)
  (make-nat-key-record :addr (field-number address) :port (htons port) :proto protocol))

(defun hits (address port protocol) (nat-rule-hits (map-ref rules (key address port protocol))))

(defun after (p)
  "The packet afterwards, let through; nil when it was not."
  (multiple-value-bind (verdict after) (run-prog tc_nat p)
    (and (= verdict TC_ACT_OK) after)))

(defun untouched? (p)
  (multiple-value-bind (verdict after context) (run-prog tc_nat p :ctx (context :tc :mark 5))
    (and (= verdict TC_ACT_OK) (equalp after p) (= (mark-in context) 5))))

(defun mark-in (context) (+ (aref context 8) (* 256 (aref context 9)) (* 65536 (aref context 10)) (* 16777216 (aref context 11))))

(defun tcp-to (address port) (packet (eth) (ipv4 :dst address) (tcp :dst-port port :seq 9) (payload "hello")))
(defun udp-to (address port &rest more)
  (packet (eth) (ipv4 :dst address) (apply #'layer 'udp :dst-port port more) (payload "hello")))

(deftest tcp-goes-elsewhere
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080)
  (is (equalp (after (tcp-to "192.0.2.1" 80)) (tcp-to "10.1.2.3" 8080)) "as if it had been sent there")
  (is (packet-ok? (after (tcp-to "192.0.2.1" 80))))
  (is (= (hits "192.0.2.1" 80 6) 2)))

(deftest udp-goes-elsewhere
  (rule "192.0.2.1" 53 17 "10.1.2.3" 5353)
  (is (equalp (after (udp-to "192.0.2.1" 53)) (udp-to "10.1.2.3" 5353)))
  (is (packet-ok? (after (udp-to "192.0.2.1" 53))))
  (is (= (hits "192.0.2.1" 53 17) 2)))

(deftest only-what-differs-is-changed
  (rule "192.0.2.1" 80 6 "192.0.2.1" 8080)
  (rule "192.0.2.1" 81 6 "10.1.2.3" 81)
  (rule "192.0.2.1" 82 6 "192.0.2.1" 82)
  (is (equalp (after (tcp-to "192.0.2.1" 80)) (tcp-to "192.0.2.1" 8080)))
  (is (equalp (after (tcp-to "192.0.2.1" 81)) (tcp-to "10.1.2.3" 81)))
  (is (equalp (after (tcp-to "192.0.2.1" 82)) (tcp-to "192.0.2.1" 82)))
  (is (= (hits "192.0.2.1" 82 6) 1) "a hit all the same"))

(deftest options-move-the-transport-header
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080)
  (rule "192.0.2.1" 80 17 "10.1.2.4" 8081)
  (flet ((tcp-packet (address port) (packet (eth) (ipv4 :dst address :options 40) (tcp :dst-port port) (payload 9)))
         (udp-packet (address port) (packet (eth) (ipv4 :dst address :options 4) (udp :dst-port port) (payload 9))))
    (is (equalp (after (tcp-packet "192.0.2.1" 80)) (tcp-packet "10.1.2.3" 8080)))
    (is (equalp (after (udp-packet "192.0.2.1" 80)) (udp-packet "10.1.2.4" 8081)))))

(deftest no-udp-checksum-stays-none
  (rule "192.0.2.1" 53 17 "10.1.2.3" 5353)
  (is (equalp (after (udp-to "192.0.2.1" 53 :checksum 0)) (udp-to "10.1.2.3" 5353 :checksum 0)))
  (rule "192.0.2.1" 54 17 "10.1.2.3" 54)
  (is (equalp (after (udp-to "192.0.2.1" 54 :checksum 0)) (udp-to "10.1.2.3" 54 :checksum 0))))

(deftest a-udp-checksum-is-never-zero
  ;; Some port gives the sum 0, which is sent as ffff: one of all tried.
  (let* ((at-1 (packet-field (packet (eth) (ipv4 :dst "10.0.0.9") (udp :dst-port 1)) :udp :checksum))
         (port (1+ at-1)))
    (rule "10.0.0.9" 1 17 "10.0.0.9" port)
    (let ((p (after (packet (eth) (ipv4 :dst "10.0.0.9") (udp :dst-port 1)))))
      (is (= (packet-field p :udp :dst-port) port))
      (is (= (packet-field p :udp :checksum) #xffff))
      (is (packet-ok? p))))
  ;; TCP knows no such thing: there 0 is 0.
  (let* ((at-1 (packet-field (packet (eth) (ipv4 :dst "10.0.0.9") (tcp :dst-port 1)) :tcp :checksum))
         (port (1+ at-1)))
    (rule "10.0.0.9" 1 6 "10.0.0.9" port)
    (is (= (packet-field (after (packet (eth) (ipv4 :dst "10.0.0.9") (tcp :dst-port 1))) :tcp :checksum) 0))))

(deftest wrong-checksums-stay-wrong
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080)
  (flet ((error-in (right wrong)
           ;; By how much the sum is off, modulo ffff.
           (mod (- right wrong) #xffff)))
    (let* ((good (tcp-to "192.0.2.1" 80))
           (bad (packet (eth) (ipv4 :dst "192.0.2.1" :checksum 77) (tcp :dst-port 80 :seq 9 :checksum 99) (payload "hello")))
           (good-after (after good)) (bad-after (after bad)))
      (dolist (layer '(:ipv4 :tcp))
        (is (= (error-in (packet-field good layer :checksum) (packet-field bad layer :checksum))
               (error-in (packet-field good-after layer :checksum) (packet-field bad-after layer :checksum))))))))

(deftest many-addresses-and-ports
  (dolist (to '("0.0.0.0" "255.255.255.255" "192.0.2.2" "1.0.0.0" "127.255.0.1" "10.0.255.255"))
    (dolist (port '(0 65535 81 256 255 32768))
      (rule "192.0.2.1" 80 6 to port)
      (rule "192.0.2.1" 80 17 to port)
      (let ((tcp (after (tcp-to "192.0.2.1" 80))) (udp (after (udp-to "192.0.2.1" 80))))
        (is (equalp tcp (tcp-to to port)))
        (is (packet-ok? udp))
        (is (equal (packet-field udp :ipv4 :dst) to))
        (is (= (packet-field udp :udp :dst-port) port))))))

(deftest a-rules-mark-is-set
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080 #x12345678)
  (rule "192.0.2.1" 81 6 "10.1.2.3" 8080 0)
  (flet ((mark-after (p)
           (multiple-value-bind (verdict after context) (run-prog tc_nat p :ctx (context :tc :mark 5))
             (mark-in context))))
    (is (= (mark-after (tcp-to "192.0.2.1" 80)) #x12345678))
    (is (= (mark-after (tcp-to "192.0.2.1" 81)) 5) "0 is none")))

(deftest others-are-untouched
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080 9)
  (dolist (p (list (tcp-to "192.0.2.1" 81)
                   (tcp-to "192.0.2.2" 80)
                   (udp-to "192.0.2.1" 80)
                   (packet (eth) (ipv4 :src "192.0.2.1") (tcp :src-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1") (icmp) (payload 40))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :protocol 132) (tcp :dst-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :more-fragments t) (tcp :dst-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :fragment-offset 1) (tcp :dst-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :fragment-offset #x1000) (tcp :dst-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :ihl 4) (tcp :dst-port 80))
                   (packet (eth) (ipv4 :dst "192.0.2.1" :ihl 4) (tcp :src-port 80) (payload 9))
                   (packet (eth) (vlan) (ipv4 :dst "192.0.2.1") (tcp :dst-port 80))
                   (packet (eth) (ipv6) (tcp :dst-port 80))
                   (packet (eth) (arp))))
    (is (untouched? p)))
  (is (= (hits "192.0.2.1" 80 6) 0)))

(deftest whole-transport-headers-only
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080)
  (rule "192.0.2.1" 80 17 "10.1.2.3" 8080)
  (let ((tcp (tcp-to "192.0.2.1" 80)) (udp (udp-to "192.0.2.1" 80)))
    (dolist (n '(53 42 38 37)) (is (untouched? (subseq tcp 0 n))))
    (dolist (n '(41 38 37)) (is (untouched? (subseq udp 0 n))))
    (is (= (hits "192.0.2.1" 80 6) 0))
    (is (= (packet-field (after (subseq tcp 0 54)) :tcp :dst-port) 8080))
    (is (= (packet-field (after (subseq udp 0 42)) :udp :dst-port) 8080))))

(deftest whole-network-headers-only
  (rule "192.0.2.1" 80 6 "10.1.2.3" 8080)
  (let ((p (tcp-to "192.0.2.1" 80)))
    (dolist (n '(34 33 14)) (is (untouched? (subseq p 0 n))))))
