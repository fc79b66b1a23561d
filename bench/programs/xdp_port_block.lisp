;;; Drops TCP and UDP packets sent to blocked ports: the counterpart of xdp_port_block.bpf.c.

;; The key is the port as it stands in the packet; the value counts what was dropped.
(defmap blocked :type :hash :key u16 :value u64 :max-entries 1024)

(defprog xdp_port_block (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let* ((ip (+ data +eth-hdr-len+))
           (ports ip)
           (protocol 0))
      (case (eth-type data)
        (#x0800
         (unless (<= (+ ip 20) end) (return XDP_PASS))
         (let ((ihl (logand (ipv4-ver-ihl ip) 15)))
           (when (or (< ihl 5) (logtest (ipv4-frag-off ip) #x1fff))
             (return XDP_PASS))
           (setf protocol (ipv4-protocol ip)
                 ports (+ ip (* ihl 4)))))
        (#x86dd
         (unless (<= (+ ip 40) end) (return XDP_PASS))
         (setf protocol (ipv6-nexthdr ip)
               ports (+ ip 40))))
      (when (and (or (= protocol +ip-proto-tcp+) (= protocol +ip-proto-udp+))
                 (<= (+ ports 4) end))
        (when-let ((drops (map-lookup blocked (load u16 ports 2))))
          (atomic-add drops 0 1)
          (return XDP_DROP)))))
  XDP_PASS)

(defun block-port (port) (setf (map-ref blocked (htons port)) 0))

(defun dropped (port) (map-ref blocked (htons port)))

(defun passes-untouched? (p)
  (multiple-value-bind (verdict after) (run-prog xdp_port_block p)
    (and (= verdict XDP_PASS) (equalp after p))))

(defun cut (p length) (subseq p 0 length))

(deftest blocked-ports-are-dropped-and-counted
  (block-port 9999)
  (block-port 53)
  (dolist (p (list (packet (eth) (ipv4) (tcp :dst-port 9999 :syn t))
                   (packet (eth) (ipv4) (udp :dst-port 9999))
                   (packet (eth) (ipv6) (tcp :dst-port 9999))
                   (packet (eth) (ipv6) (udp :dst-port 9999))))
    (multiple-value-bind (verdict after) (run-prog xdp_port_block p)
      (is (= verdict XDP_DROP))
      (is (equalp after p) "the packet is untouched")))
  (is (= (dropped 9999) 4))
  (is (= (dropped 53) 0))
  (is (= (map-count blocked) 2)))

(deftest other-ports-pass
  (block-port 9999)
  (is (passes-untouched? (packet (eth) (ipv4) (tcp :dst-port 80 :src-port 9999))) "the source port does not matter")
  (is (passes-untouched? (packet (eth) (ipv6) (udp :dst-port (htons 9999)))) "nor the port in the other byte order")
  (is (= (dropped 9999) 0))
  (is (= (map-count blocked) 1) "what passes makes no entry"))

(deftest options-move-the-ports
  (block-port 9999)
  (is (= (run-prog xdp_port_block (packet (eth) (ipv4 :options '(148 4 0 0)) (udp :dst-port 9999))) XDP_DROP))
  (is (= (run-prog xdp_port_block (packet (eth) (ipv4 :options 40) (tcp :dst-port 9999))) XDP_DROP))
  (is (= (dropped 9999) 2)))

(deftest a-header-length-below-five-passes
  (block-port 9999)
  (is (passes-untouched? (packet (eth) (ipv4 :ihl 4) (udp :dst-port 9999))))
  ;; There the ports would be the header's last four bytes, the destination address.
  (is (passes-untouched? (packet (eth) (ipv4 :ihl 4 :dst "0.0.39.15") (udp :dst-port 9999))))
  (is (passes-untouched? (packet (eth) (ipv4 :ihl 0) (udp :dst-port 9999)))))

(deftest only-first-fragments-are-looked-at
  (block-port 9999)
  (is (= (run-prog xdp_port_block (packet (eth) (ipv4 :more-fragments t) (udp :dst-port 9999))) XDP_DROP))
  (is (= (run-prog xdp_port_block (packet (eth) (ipv4 :dont-fragment t) (udp :dst-port 9999))) XDP_DROP))
  (is (passes-untouched? (packet (eth) (ipv4 :fragment-offset 1) (udp :dst-port 9999))))
  (is (passes-untouched? (packet (eth) (ipv4 :fragment-offset #x1000) (udp :dst-port 9999))))
  (is (= (dropped 9999) 2)))

(deftest other-protocols-pass
  (block-port 9999)
  (dolist (protocol '(0 1 5 7 16 18 58 132 255))
    (is (passes-untouched? (packet (eth) (ipv4 :protocol protocol) (udp :dst-port 9999))))
    (is (passes-untouched? (packet (eth) (ipv6 :nexthdr protocol) (udp :dst-port 9999)))))
  (is (passes-untouched? (packet (eth) (vlan) (ipv4) (udp :dst-port 9999))) "no VLAN")
  (is (passes-untouched? (packet (eth) (ipv6) (hop-by-hop) (udp :dst-port 9999))) "no extension headers")
  (is (passes-untouched? (packet (eth :type #x0801) (ipv4) (udp :dst-port 9999)))))

(deftest four-bytes-of-the-transport-header-are-enough
  (block-port 9999)
  (let ((v4 (packet (eth) (ipv4) (udp :dst-port 9999)))
        (v6 (packet (eth) (ipv6) (udp :dst-port 9999)))
        (long (packet (eth) (ipv4 :options 40) (udp :dst-port 9999))))
    (is (= (run-prog xdp_port_block (cut v4 38)) XDP_DROP))
    (is (= (run-prog xdp_port_block (cut v6 58)) XDP_DROP))
    (is (= (run-prog xdp_port_block (cut long 78)) XDP_DROP))
    (dolist (p (list (cut v4 37) (cut v4 34) (cut v4 33) (cut v4 14)
                     (cut v6 57) (cut v6 54) (cut v6 53) (cut v6 14) (cut long 77) (cut long 34)))
      (is (passes-untouched? p)))
    (is (= (dropped 9999) 3))))
