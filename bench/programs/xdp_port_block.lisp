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
