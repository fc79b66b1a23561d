;;; A layer-4 load balancer that wraps packets in IPv4: the counterpart of xdp_l4lb.bpf.c.

(defconstant +max-inner+ 1480)
(defconstant +hash-seed+ #x9e3779b9)
(defconstant +outer-ttl+ 64)
(defconstant +ip-proto-ipip+ 4)
(defconstant +ip-df+ #x4000)

(defconstant +stat-sent+ 0)
(defconstant +stat-no-vip+ 1)
(defconstant +stat-no-backend+ 2)
(defconstant +stat-error+ 3)

;; Addresses and ports as they stand in the packet; a MAC in the two pieces that `eth` has.
(defstruct vip-key (addr u32) (port u16) (proto u8) (zero u8))
(defstruct vip (first u32) (count u32))
(defstruct endpoint (addr u32) (mac-hi u32) (mac-lo u16) (unused u16))

(defmap vips :type :hash :key vip-key :value vip :max-entries 512)
(defmap backends :type :array :key u32 :value endpoint :max-entries 256)
(defmap source :type :array :key u32 :value endpoint :max-entries 1)
(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 4)

(defmacro done (stat result)
  `(progn (incf (getmap stats ,stat)) (return ,result)))

(defmacro rol32 (v n)
  `(logior (<< ,v ,n) (>> ,v (- 32 ,n))))

(defmacro mix (&rest steps)
  "Each step (to from n): TO is combined with FROM, then less FROM rotated by N."
  `(progn
     ,@(loop for (to from n) in steps
             collect `(setf ,to (logxor ,to ,from))
             collect `(decf ,to (rol32 ,from ,n)))))

(defmacro flow-hash (saddr daddr ports proto)
  `(let* ((seed u32 (cast u32 (+ +hash-seed+ ,proto)))
          (a u32 (cast u32 (+ ,saddr seed)))
          (b u32 (cast u32 (+ ,daddr seed)))
          (c u32 (cast u32 (+ ,ports seed))))
     (mix (c b 14) (a c 11) (b a 25) (c b 16) (a c 4) (b a 14))
     (setf c (logxor c b))
     (cast u32 (- c (rol32 b 24)))))

(defsubprog fold ((sum u64)) u64
  (+ (logand sum #xffff) (>> sum 16)))

(defprog xdp_l4lb (:type :xdp :section "xdp" :license "GPL")
  (with-ipv4 (data end ip)
    (let ((ports (+ ip 20))
          (proto (ipv4-protocol ip))
          (key (make-vip-key)))
      (unless (and (<= (+ ports 4) end)
                   (= (ipv4-ver-ihl ip) #x45)
                   (not (logtest (ipv4-frag-off ip) #x3fff))
                   (or (= proto +ip-proto-tcp+) (= proto +ip-proto-udp+)))
        (return XDP_PASS))
      (setf (vip-key-addr key) (ipv4-dst-addr ip)
            (vip-key-port key) (load u16 ports 2)
            (vip-key-proto key) proto)
      (let ((vip (map-lookup vips key))
            (tos (ipv4-tos ip))
            (len (ipv4-total-len ip)))
        (unless vip (done +stat-no-vip+ XDP_PASS))
        (when (zerop (vip-count vip)) (done +stat-no-backend+ XDP_DROP))
        (when (> len +max-inner+) (done +stat-error+ XDP_DROP))
        (let* ((hash (flow-hash (ipv4-src-addr ip) (ipv4-dst-addr ip) (load u32 ports) proto))
               (index (cast u32 (+ (vip-first vip) (mod hash (vip-count vip)))))
               (backend (map-lookup backends index)))
          (unless (and backend (/= (endpoint-addr backend) 0))
            (done +stat-no-backend+ XDP_DROP))
          (let ((self (map-lookup source 0)))
            (unless self (done +stat-no-backend+ XDP_DROP))
            (unless (zerop (xdp-adjust-head (ctx-ptr) -20))
              (done +stat-error+ XDP_DROP))
            (let* ((eth (xdp-data))
                   (outer (+ eth +eth-hdr-len+)))
              (unless (<= (+ outer 20) (xdp-data-end))
                (done +stat-error+ XDP_DROP))
              (setf (eth-dst-mac-hi eth) (endpoint-mac-hi backend)
                    (eth-dst-mac-lo eth) (endpoint-mac-lo backend)
                    (eth-src-mac-hi eth) (endpoint-mac-hi self)
                    (eth-src-mac-lo eth) (endpoint-mac-lo self)
                    (eth-type eth) +ethertype-ipv4+
                    (ipv4-ver-ihl outer) #x45
                    (ipv4-tos outer) tos
                    (ipv4-total-len outer) (cast u16 (+ len 20))
                    (ipv4-id outer) 0
                    (ipv4-frag-off outer) +ip-df+
                    (ipv4-ttl outer) +outer-ttl+
                    (ipv4-protocol outer) +ip-proto-ipip+
                    (ipv4-checksum outer) 0
                    (ipv4-src-addr outer) (endpoint-addr self)
                    (ipv4-dst-addr outer) (endpoint-addr backend))
              (let ((sum 0))
                (dotimes (i 10)
                  (incf sum (load u16 outer (* i 2))))
                (setf (ipv4-checksum outer) (cast u16 (lognot (fold (fold sum))))))
              (done +stat-sent+ XDP_TX)))))))
  XDP_PASS)
