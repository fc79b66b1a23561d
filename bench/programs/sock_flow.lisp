;;; Accounts packets and bytes by 5-tuple, IPv4 and IPv6, in a socket filter: the counterpart of sock_flow.bpf.c.

(defconstant +ip-proto-sctp+ 132)
(defconstant +mapped-prefix+ #xffff0000)        ; 00 00 ff ff as a little-endian word

(defstruct ip-addr (words (array u32 4)))
(defstruct flow-key (src ip-addr) (dst ip-addr) (sport u16) (dport u16) (proto u8) (zero (array u8 3)))
(defstruct flow (packets u64) (bytes u64) (first u64) (last u64))
(defstruct v4-header (ver-ihl u8) (tos u8) (len u16) (id u16) (frag (be u16)) (ttl u8) (proto u8) (check u16)
  (src u32) (dst u32))
(defstruct v6-header (flow u32) (len u16) (next u8) (hops u8) (src ip-addr) (dst ip-addr))

(defmap flows :type :hash :key flow-key :value flow :max-entries 16384)

(defmacro load-from-network-header (offset to size)
  "SIZE bytes of the packet to memory; ends the program, unaccounted, when they are not there."
  `(unless (zerop (skb-load-bytes-relative (ctx-ptr) ,offset ,to ,size BPF_HDR_START_NET))
     (return 0)))

(defprog sock_flow (:type :socket-filter :section "socket" :license "GPL")
  (let ((key (make-flow-key))
        (transport 40)
        (fragment 0))
    (case (ntohs (ctx protocol))
      (#x0800
       (let ((ip (make-v4-header)))
         (load-from-network-header 0 ip (sizeof v4-header))
         (let ((ihl (logand (v4-header-ver-ihl ip) 15)))
           (when (< ihl 5) (return 0))
           (setf transport (* ihl 4)))
         (setf (ip-addr-words (flow-key-src-ptr key) 2) +mapped-prefix+
               (ip-addr-words (flow-key-src-ptr key) 3) (v4-header-src ip)
               (ip-addr-words (flow-key-dst-ptr key) 2) +mapped-prefix+
               (ip-addr-words (flow-key-dst-ptr key) 3) (v4-header-dst ip)
               (flow-key-proto key) (v4-header-proto ip)
               fragment (logand (v4-header-frag ip) #x1fff))))
      (#x86dd
       (let ((ip (make-v6-header)))
         (load-from-network-header 0 ip (sizeof v6-header))
         (memcpy (flow-key-src-ptr key) 0 (v6-header-src-ptr ip) 0 32)
         (setf (flow-key-proto key) (v6-header-next ip))))
      (t (return 0)))
    (when (zerop fragment)
      (case (flow-key-proto key)
        ((+ip-proto-tcp+ +ip-proto-udp+ +ip-proto-sctp+)
         (load-from-network-header transport (flow-key-sport-ptr key) 4))))
    (let ((now (ktime-get-ns)))
      (if-let (f (map-lookup flows key))
        (progn
          (atomic-incf (flow-packets f))
          (atomic-incf (flow-bytes f) (ctx len))
          (setf (flow-last f) now))
        (let ((fresh (make-flow)))
          (setf (flow-packets fresh) 1
                (flow-bytes fresh) (ctx len)
                (flow-first fresh) now
                (flow-last fresh) now)
          (map-update flows key fresh BPF_NOEXIST)))))
  (ctx len))
