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
