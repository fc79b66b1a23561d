;;; A stateful firewall for IPv4 TCP and UDP with timeouts by state: the counterpart of xdp_conntrack.bpf.c.

(defconstant +stat-new+ 0)
(defconstant +stat-known+ 1)
(defconstant +stat-no-conn+ 2)
(defconstant +stat-invalid+ 3)

(defenum st (none 0) (syn-sent 1) (syn-recv 2) (established 3) (fin-wait 4) (closing 5) (closed 6)
  (udp-new 7) (udp-seen 8))

;; Addresses and ports as they stand in the packet.
(defstruct conn-key (lo-addr u32) (hi-addr u32) (lo-port u16) (hi-port u16) (proto u8) (zero (array u8 3)))
(defstruct conn (last u64) (packets (array u64 2)) (bytes (array u64 2)) (state u8) (orig-dir u8) (fin-mask u8)
  (zero (array u8 5)))

(defmap conns :type :lru-hash :key conn-key :value conn :max-entries 65536)
(defmap timeouts :type :array :key u32 :value u64 :max-entries 9)
(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 4)

(defmacro done (stat result)
  `(progn (incf (getmap stats ,stat)) (return ,result)))

(defmacro set-ends (key saddr sport daddr dport)
  "Puts both ends into KEY in their order; yields 0 when the source comes first, else 1."
  `(let ((saddr ,saddr) (sport ,sport) (daddr ,daddr) (dport ,dport))
     (if (or (< (ntohl saddr) (ntohl daddr))
             (and (= saddr daddr) (<= (ntohs sport) (ntohs dport))))
         (progn
           (setf (conn-key-lo-addr ,key) saddr
                 (conn-key-hi-addr ,key) daddr
                 (conn-key-lo-port ,key) sport
                 (conn-key-hi-port ,key) dport)
           0)
         (progn
           (setf (conn-key-lo-addr ,key) daddr
                 (conn-key-hi-addr ,key) saddr
                 (conn-key-lo-port ,key) dport
                 (conn-key-hi-port ,key) sport)
           1))))

(defmacro flag? (flags mask)
  `(logtest ,flags ,mask))

(defmacro next-tcp-state (conn flags dir)
  "The state after the packet; leaves the program when it is invalid in that connection."
  `(let ((state (conn-state ,conn))
         (reply (/= ,dir (conn-orig-dir ,conn))))
     (cond ((flag? ,flags +tcp-rst+) +st-closed+)
           ((= (logand ,flags (logior +tcp-syn+ +tcp-ack+)) +tcp-syn+)
            (cond ((or (= state +st-closed+) (= state +st-closing+))
                   (setf (conn-orig-dir ,conn) ,dir
                         (conn-fin-mask ,conn) 0)
                   +st-syn-sent+)
                  ((and (= state +st-syn-sent+) (not reply)) +st-syn-sent+)
                  (t (done +stat-invalid+ XDP_DROP))))
           ((flag? ,flags +tcp-syn+)
            (if (and reply (or (= state +st-syn-sent+) (= state +st-syn-recv+)))
                +st-syn-recv+
                (done +stat-invalid+ XDP_DROP)))
           ((or (= state +st-syn-sent+) (= state +st-closed+))
            (done +stat-invalid+ XDP_DROP))
           ((flag? ,flags +tcp-fin+)
            (if (= (setf (conn-fin-mask ,conn) (logior (conn-fin-mask ,conn) (<< 1 ,dir))) 3)
                +st-closing+
                +st-fin-wait+))
           ((and (= state +st-syn-recv+) (not reply) (flag? ,flags +tcp-ack+)) +st-established+)
           (t state))))

(defprog xdp_conntrack (:type :xdp :section "xdp" :license "GPL")
  (with-ipv4 (data end ip)
    (let* ((ihl (logand (ipv4-ver-ihl ip) 15))
           (proto (ipv4-protocol ip))
           (l4 (+ ip (* ihl 4)))
           (flags 0)
           (key (make-conn-key)))
      (when (or (< ihl 5) (logtest (ipv4-frag-off ip) #x3fff))
        (return XDP_PASS))
      (case proto
        (+ip-proto-tcp+
         (unless (<= (+ l4 20) end) (return XDP_PASS))
         (setf flags (tcp-flags l4)))
        (+ip-proto-udp+
         (unless (<= (+ l4 8) end) (return XDP_PASS)))
        (t (return XDP_PASS)))
      (let ((dir (set-ends key (ipv4-src-addr ip) (load u16 l4 0) (ipv4-dst-addr ip) (load u16 l4 2)))
            (now (ktime-get-ns)))
        (setf (conn-key-proto key) proto)
        (when-let ((c (map-lookup conns key)))
          (if (let ((timeout (map-lookup timeouts (conn-state c))))
                (and timeout (> (- now (conn-last c)) (deref timeout))))
              (map-delete conns key)
              (progn
                (setf (conn-state c)
                      (cond ((= proto +ip-proto-tcp+) (next-tcp-state c flags dir))
                            ((and (= (conn-state c) +st-udp-new+) (/= dir (conn-orig-dir c))) +st-udp-seen+)
                            (t (conn-state c)))
                      (conn-last c) now)
                (incf (conn-packets c dir))
                (incf (conn-bytes c dir) (- end data))
                (done +stat-known+ XDP_PASS))))
        (let ((fresh (make-conn)))
          (setf (conn-state fresh)
                (cond ((= proto +ip-proto-udp+) +st-udp-new+)
                      ((= (logand flags (logior +tcp-syn+ +tcp-ack+ +tcp-fin+ +tcp-rst+)) +tcp-syn+) +st-syn-sent+)
                      (t (done +stat-no-conn+ XDP_DROP)))
                (conn-last fresh) now
                (conn-orig-dir fresh) dir
                (conn-packets fresh dir) 1
                (conn-bytes fresh dir) (- end data)
                (getmap conns key) fresh)
          (done +stat-new+ XDP_PASS)))))
  XDP_PASS)
