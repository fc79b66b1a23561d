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
