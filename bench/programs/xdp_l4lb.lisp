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

(defun field-number (address) (htonl (reduce (lambda (a b) (+ (* a 256) b)) (ip4-bytes address))))

(defun endpoint (address mac)
  (let ((bytes (mac-bytes mac)))
    (flet ((number (bytes) (reduce (lambda (a b) (+ (* a 256) b)) (reverse bytes))))
      (make-endpoint-record :addr (field-number address)
                            :mac-hi (number (subseq bytes 0 4)) :mac-lo (number (subseq bytes 4))))))

(defun service (address port protocol first count)
  (setf (map-ref vips (make-vip-key-record :addr (field-number address) :port (htons port) :proto protocol))
        (make-vip-record :first first :count count)))

(defun backend-address (i) (format nil "10.2.~d.~d" (floor i 256) (mod i 256)))
(defun backend-mac (i) (format nil "02:00:00:00:02:~(~2,'0x~)" i))

(defun some-backends (&rest numbers)
  (setf (map-ref source 0) (endpoint "10.1.1.1" "02:00:00:00:01:01"))
  (dolist (i numbers)
    (setf (map-ref backends i) (endpoint (backend-address i) (backend-mac i)))))

(defun stat-counts () (loop for i below 4 collect (reduce #'+ (map-ref stats i))))

(defun wrapped (p backend)
  "The packet as it has to be on its way to a backend."
  (let ((inner (subseq p 14)))
    (packet (eth :src "02:00:00:00:01:01" :dst (backend-mac backend) :type #x0800)
            (ipv4 :src "10.1.1.1" :dst (backend-address backend) :tos (aref p 15) :dont-fragment t :protocol 4 :ttl 64
                  :total-len (+ 20 (* 256 (aref p 16)) (aref p 17)))
            (payload inner))))

(defun expected-hash (p)
  "The comment's hash of a packet's addresses, ports and protocol."
  (flet ((word (at) (loop for i from 3 downto 0 for n = (aref p (+ at i)) then (+ (* 256 n) (aref p (+ at i))) finally (return n)))
         (u32 (n) (mod n (expt 2 32))))
    (flet ((rol (v n) (u32 (logior (ash v n) (ash v (- n 32))))))
      (let* ((seed (+ #x9e3779b9 (aref p 23)))
             (a (u32 (+ (word 26) seed))) (b (u32 (+ (word 30) seed))) (c (u32 (+ (word 34) seed))))
        (flet ((step (to from n) (u32 (- (logxor to from) (rol from n)))))
          (setf c (step c b 14)
                a (step a c 11)
                b (step b a 25)
                c (step c b 16)
                a (step a c 4)
                b (step b a 14)
                c (step c b 24))
          c)))))

(defun to-service (source port &optional (protocol 'tcp))
  (packet (eth) (ipv4 :src source :dst "192.0.2.1") (layer protocol :src-port port :dst-port 80) (payload "hello")))

(defun sent-to (p)
  "The packet as it is sent; nil when it is not."
  (multiple-value-bind (verdict after) (run-prog xdp_l4lb p)
    (and (= verdict XDP_TX) after)))

(defun result (p)
  "The verdict of a packet that stays as it is; -1 when it does not."
  (multiple-value-bind (verdict after) (run-prog xdp_l4lb p)
    (if (equalp after p) verdict -1)))

(deftest a-packet-is-wrapped
  (some-backends 7)
  (service "192.0.2.1" 80 6 7 1)
  (let ((p (packet (eth) (ipv4 :src "198.51.100.9" :dst "192.0.2.1" :tos #xb9 :id 77 :ttl 3) (tcp :dst-port 80) (payload "hello"))))
    (is (equalp (sent-to p) (wrapped p 7)) "the inner packet unchanged behind the outer header")
    (is (packet-ok? (sent-to p)))
    (is (= (packet-field (sent-to p) :ipv4 :id) 0))
    (is (= (packet-field (sent-to p) :ipv4 :id :nth 1) 77)))
  (is (equal (stat-counts) '(4 0 0 0))))

(deftest udp-is-wrapped-too
  (some-backends 0)
  (service "192.0.2.1" 80 17 0 1)
  (let ((p (to-service "10.0.0.1" 5 'udp)))
    (is (equalp (sent-to p) (wrapped p 0))))
  (is (= (result (to-service "10.0.0.1" 5 'tcp)) XDP_PASS) "TCP is another service")
  (is (equal (stat-counts) '(1 1 0 0))))

(deftest the-hash-is-that-of-the-comment
  ;; Worked out apart from all of this, with another language's arithmetic.
  (is (= (expected-hash (to-service "10.0.0.1" 40000)) #x12892652))
  (is (= (expected-hash (to-service "255.254.253.252" 65535 'udp)) #x8116575d)))

(deftest the-hash-chooses
  (apply #'some-backends (loop for i from 100 below 113 collect i))
  (service "192.0.2.1" 80 6 100 13)
  (service "192.0.2.1" 80 17 101 7)
  (let ((used nil))
    (dolist (source '("10.0.0.1" "10.0.0.2" "203.0.113.77" "255.254.253.252" "0.0.0.1"))
      (dolist (port '(1 255 256 40000 40001 65535))
        (let* ((p (to-service source port)) (i (+ 100 (mod (expected-hash p) 13))))
          (pushnew i used)
          (is (equalp (sent-to p) (wrapped p i))))
        (let ((p (to-service source port 'udp)))
          (is (equalp (sent-to p) (wrapped p (+ 101 (mod (expected-hash p) 7))))))))
    (is (> (length used) 6) "most of them get something"))
  (is (equal (stat-counts) '(60 0 0 0))))

(deftest all-counts-up-to-the-table
  (apply #'some-backends (loop for i below 256 collect i))
  (let* ((p (to-service "10.0.0.1" 40000)) (hash (expected-hash p)))
    (loop for count in '(1 2 3 10 16 100 255 256)
          do (service "192.0.2.1" 80 6 0 count)
             (is (equalp (sent-to p) (wrapped p (mod hash count)))))))

(deftest what-is-no-service-passes
  (some-backends 0)
  (service "192.0.2.1" 80 6 0 1)
  (is (= (result (packet (eth) (ipv4 :dst "192.0.2.2") (tcp :dst-port 80))) XDP_PASS))
  (is (= (result (packet (eth) (ipv4 :dst "192.0.2.1") (tcp :dst-port 81))) XDP_PASS))
  (is (= (result (packet (eth) (ipv4 :src "192.0.2.1") (tcp :src-port 80))) XDP_PASS))
  (is (= (result (packet (eth) (ipv4 :dst "192.0.2.1") (udp :dst-port 80))) XDP_PASS))
  (is (equal (stat-counts) '(0 4 0 0))))

(deftest without-a-backend-it-is-dropped
  (some-backends 1)
  (service "192.0.2.1" 80 6 1 0)
  (is (= (result (to-service "10.0.0.1" 1)) XDP_DROP) "none at all")
  (service "192.0.2.1" 80 6 2 1)
  (is (= (result (to-service "10.0.0.1" 1)) XDP_DROP) "one without an address")
  (service "192.0.2.1" 80 6 256 1)
  (is (= (result (to-service "10.0.0.1" 1)) XDP_DROP) "one beyond the table")
  (service "192.0.2.1" 80 6 255 1)
  (is (= (result (to-service "10.0.0.1" 1)) XDP_DROP))
  (is (equal (stat-counts) '(0 0 4 0)))
  (service "192.0.2.1" 80 6 1 1)
  (is (sent-to (to-service "10.0.0.1" 1)))
  ;; first + hash % count is of 32 bits.
  (let* ((p (to-service "10.0.0.1" 1)) (hash (expected-hash p)))
    (service "192.0.2.1" 80 6 (mod (- 1 (mod hash 1000000)) (expt 2 32)) 1000000)
    (is (equalp (sent-to p) (wrapped p 1)))))

(deftest what-is-too-big-is-dropped
  (some-backends 1)
  (service "192.0.2.1" 80 6 1 1)
  (flet ((of-length (n) (packet (eth) (ipv4 :dst "192.0.2.1" :total-len n) (tcp :dst-port 80))))
    (is (= (packet-field (sent-to (of-length 1480)) :ipv4 :total-len) 1500))
    (is (= (result (of-length 1481)) XDP_DROP))
    (is (= (result (of-length 65535)) XDP_DROP))
    (is (equalp (sent-to (of-length 255)) (wrapped (of-length 255) 1)))
    (is (equalp (sent-to (of-length 0)) (wrapped (of-length 0) 1))))
  (service "192.0.2.1" 80 6 1 0)
  (is (= (result (packet (eth) (ipv4 :dst "192.0.2.1" :total-len 1481) (tcp :dst-port 80))) XDP_DROP))
  (is (equal (stat-counts) '(3 0 1 2)) "no backend is said first"))

(deftest other-packets-pass-uncounted
  (some-backends 1)
  (service "192.0.2.1" 80 6 1 1)
  (let ((p (to-service "10.0.0.1" 1)))
    (dolist (p (list (packet (eth) (ipv4 :dst "192.0.2.1" :options 4) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :ihl 4) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :version 6) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :more-fragments t) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :fragment-offset 1) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :fragment-offset #x1000) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1" :protocol 132) (tcp :dst-port 80))
                     (packet (eth) (ipv4 :dst "192.0.2.1") (icmp))
                     (packet (eth) (vlan) (ipv4 :dst "192.0.2.1") (tcp :dst-port 80))
                     (packet (eth) (ipv6) (tcp :dst-port 80))
                     (packet (eth) (arp))
                     (subseq p 0 37) (subseq p 0 34) (subseq p 0 33) (subseq p 0 14)))
      (is (= (result p) XDP_PASS)))
    (is (equal (stat-counts) '(0 0 0 0)))
    (is (equalp (sent-to (subseq p 0 38)) (wrapped (subseq p 0 38) 1)) "the ports are enough")
    (is (sent-to (packet (eth) (ipv4 :dst "192.0.2.1" :dont-fragment t :reserved t) (tcp :dst-port 80))))))
