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
