;;; Answers UDP packets to port 7 by sending them back: the counterpart of xdp_udp_echo.bpf.c.

(defconstant +echo-port+ 7)
(defconstant +reply-ttl+ 64)

(defstruct counter (packets u64) (bytes u64))
(defmap echoed :type :percpu-array :key u32 :value counter :max-entries 1)

(defsubprog fold ((sum u64)) u64
  (+ (logand sum #xffff) (>> sum 16)))

(defprog xdp_udp_echo (:type :xdp :section "xdp" :license "GPL")
  (with-udp (data end udp)
    (let ((ip (+ data +eth-hdr-len+)))
      (when (and (= (ipv4-ver-ihl ip) #x45)
                 (not (logtest (ipv4-frag-off ip) #x3fff))
                 (= (udp-dst-port udp) +echo-port+))
        (psetf (eth-dst-mac-hi data) (eth-src-mac-hi data)
               (eth-dst-mac-lo data) (eth-src-mac-lo data)
               (eth-src-mac-hi data) (eth-dst-mac-hi data)
               (eth-src-mac-lo data) (eth-dst-mac-lo data))
        (psetf (ipv4-src-addr ip) (ipv4-dst-addr ip)
               (ipv4-dst-addr ip) (ipv4-src-addr ip))
        (psetf (udp-src-port udp) (udp-dst-port udp)
               (udp-dst-port udp) (udp-src-port udp))
        (let* ((old (load u16 ip 8))
               (new (logior (logand old #xff00) +reply-ttl+)))
          (setf (ipv4-ttl ip) +reply-ttl+
                (ipv4-checksum ip)
                (cast u16 (lognot (fold (fold (+ (logxor (ipv4-checksum ip) #xffff)
                                                 (logxor old #xffff)
                                                 new)))))))
        (when-let ((c (map-lookup echoed 0)))
          (incf (counter-packets c))
          (incf (counter-bytes c) (- end data)))
        (return XDP_TX))))
  XDP_PASS)

(defun echoed-packets () (reduce #'+ (map 'list #'counter-packets (map-ref echoed 0))))
(defun echoed-bytes () (reduce #'+ (map 'list #'counter-bytes (map-ref echoed 0))))

(defun ignored? (p)
  (multiple-value-bind (verdict after) (run-prog xdp_udp_echo p)
    (and (= verdict XDP_PASS) (equalp after p) (zerop (echoed-packets)) (zerop (echoed-bytes)))))

(deftest a-packet-to-port-7-comes-back
  (let ((p (packet (eth :src "02:00:00:00:0a:0b" :dst "02:00:00:00:0c:0d")
                   (ipv4 :src "192.0.2.1" :dst "198.51.100.7" :ttl 3 :id 9 :tos 4) (udp :src-port 5555 :dst-port 7)
                   (payload "hello"))))
    (multiple-value-bind (verdict after) (run-prog xdp_udp_echo p)
      (is (= verdict XDP_TX))
      (is (equalp after (packet (eth :src "02:00:00:00:0c:0d" :dst "02:00:00:00:0a:0b")
                                (ipv4 :src "198.51.100.7" :dst "192.0.2.1" :ttl 64 :id 9 :tos 4)
                                (udp :src-port 7 :dst-port 5555) (payload "hello"))))
      (is (packet-ok? after)))
    (is (= (echoed-packets) 1))
    (is (= (echoed-bytes) (length p) 47))))

(deftest counts-add-up
  (run-prog xdp_udp_echo (packet (eth) (ipv4) (udp :dst-port 7)))
  (run-prog xdp_udp_echo (packet (eth) (ipv4) (udp :dst-port 7) (payload 1000)))
  (run-prog xdp_udp_echo (packet (eth) (ipv4) (udp :dst-port 8) (payload 1000)))
  (is (= (echoed-packets) 2))
  (is (= (echoed-bytes) (+ 42 1042))))

(defun expected-checksum (check old new)
  "The comment's formula, on words of two bytes in memory order."
  (let ((sum (+ (logxor check #xffff) (logxor old #xffff) new)))
    (dotimes (i 2) (setf sum (+ (logand sum #xffff) (ash sum -16))))
    (logxor sum #xffff)))

(deftest the-checksum-follows-the-ttl
  (dolist (ttl '(0 1 63 64 65 128 255))
    ;; Also wrong checksums, and those where the sum carries.
    (dolist (check '(0 1 #xff #x4011 #xbfee #xeebf #xfffe #xffff))
      (multiple-value-bind (verdict after)
          (run-prog xdp_udp_echo (packet (eth) (ipv4 :ttl ttl :checksum (htons check)) (udp :dst-port 7)))
        (is (= verdict XDP_TX))
        (is (= (packet-field after :ipv4 :ttl) 64))
        (is (= (htons (packet-field after :ipv4 :checksum))
               (expected-checksum check (+ ttl (* 17 256)) (+ 64 (* 17 256)))))))))

(deftest the-udp-checksum-stays
  (multiple-value-bind (verdict after) (run-prog xdp_udp_echo (packet (eth) (ipv4) (udp :dst-port 7 :checksum 0)))
    (is (= verdict XDP_TX))
    (is (= (packet-field after :udp :checksum) 0)))
  (multiple-value-bind (verdict after) (run-prog xdp_udp_echo (packet (eth) (ipv4) (udp :dst-port 7 :checksum #xbad)))
    (is (= verdict XDP_TX))
    (is (= (packet-field after :udp :checksum) #xbad))))

(deftest other-packets-pass
  (is (ignored? (packet (eth) (ipv4) (udp :dst-port 8))))
  (is (ignored? (packet (eth) (ipv4) (udp :src-port 7 :dst-port 1000))))
  (is (ignored? (packet (eth) (ipv4) (udp :dst-port #x0700))))
  (is (ignored? (packet (eth) (ipv4) (tcp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :protocol 18) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv6) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (vlan) (ipv4) (udp :dst-port 7))))
  (is (ignored? (packet (eth :type #x88b5) (ipv4) (udp :dst-port 7)))))

(deftest only-plain-headers-are-answered
  (is (ignored? (packet (eth) (ipv4 :options 4) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :ihl 6) (udp :dst-port 7) (payload 8))))
  (is (ignored? (packet (eth) (ipv4 :ihl 4) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :version 5) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :more-fragments t) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset 1) (udp :dst-port 7))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset #x1000) (udp :dst-port 7))))
  (is (= (run-prog xdp_udp_echo (packet (eth) (ipv4 :dont-fragment t :reserved t) (udp :dst-port 7))) XDP_TX)
      "these two bits make no fragment"))

(deftest the-whole-udp-header-has-to-be-there
  (let ((p (packet (eth) (ipv4) (udp :dst-port 7) (payload 1))))
    (dolist (n '(41 40 38 34 33 14))
      (is (ignored? (subseq p 0 n))))
    (is (= (run-prog xdp_udp_echo (subseq p 0 42)) XDP_TX))))
