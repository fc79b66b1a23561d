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

(defun set-timeouts (&rest nanoseconds)
  "Of the states from 1 on; without any, nothing ever expires."
  (loop for state from 1 to 8
        do (setf (map-ref timeouts state) (if nanoseconds (nth (1- state) nanoseconds) (1- (expt 2 64))))))

(defun stat-counts () (loop for i below 4 collect (reduce #'+ (map-ref stats i))))

;; One end is A, whose address is the lower one, the other B.
(defun a->b (&rest flags)
  (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (layer 'tcp :src-port 4000 :dst-port 80 :flags (flag-bits flags))))

(defun b->a (&rest flags)
  (packet (eth) (ipv4 :src "10.0.0.2" :dst "10.0.0.1") (layer 'tcp :src-port 80 :dst-port 4000 :flags (flag-bits flags))
          (payload 6)))

(defun flag-bits (flags)
  (reduce #'+ (mapcar (lambda (f) (ecase f (fin 1) (syn 2) (rst 4) (psh 8) (ack 16))) flags)))

(defun verdict (p &optional now)
  "What comes of the packet, now or then; -1 when it was changed."
  (multiple-value-bind (verdict after) (if now (run-prog xdp_conntrack p :clock now) (run-prog xdp_conntrack p))
    (if (equalp after p) verdict -1)))

(defun passes? (&rest packets) (every (lambda (p) (= (verdict p) XDP_PASS)) packets))
(defun drops? (&rest packets) (every (lambda (p) (= (verdict p) XDP_DROP)) packets))

(defun only-conn () (cdr (first (map-entries conns))))
(defun state () (conn-state (only-conn)))
(defun orig-dir () (conn-orig-dir (only-conn)))
(defun fins () (conn-fin-mask (only-conn)))
(defun per-direction () (append (coerce (conn-packets (only-conn)) 'list) (coerce (conn-bytes (only-conn)) 'list)))

(defun key-of (lo hi lo-port hi-port proto)
  (make-conn-key-record :lo-addr (field-number lo) :hi-addr (field-number hi)
                        :lo-port (htons lo-port) :hi-port (htons hi-port) :proto proto))

(defun field-number (address) (htonl (reduce (lambda (a b) (+ (* a 256) b)) (ip4-bytes address))))

(defun known? (lo hi lo-port hi-port &optional (proto 6)) (map-ref conns (key-of lo hi lo-port hi-port proto)))

(deftest a-connection-lives-and-ends
  (set-timeouts)
  (is (passes? (a->b 'syn)))
  (is (= (state) +st-syn-sent+))
  (is (= (orig-dir) 0))
  (is (equal (per-direction) '(1 0 54 0)))
  (is (passes? (b->a 'syn 'ack)))
  (is (= (state) +st-syn-recv+))
  (is (equal (per-direction) '(1 1 54 60)))
  (is (passes? (a->b 'ack)))
  (is (= (state) +st-established+))
  (is (passes? (b->a 'psh 'ack) (a->b 'psh 'ack)))
  (is (= (state) +st-established+))
  (is (equal (per-direction) '(3 2 162 120)))
  (is (passes? (a->b 'fin 'ack)))
  (is (= (state) +st-fin-wait+))
  (is (= (fins) 1))
  (is (passes? (b->a 'ack)))
  (is (= (state) +st-fin-wait+))
  (is (passes? (b->a 'fin 'ack)))
  (is (= (state) +st-closing+))
  (is (= (fins) 3))
  (is (passes? (a->b 'ack)))
  (is (= (state) +st-closing+))
  (is (equal (per-direction) '(5 4 270 240)))
  (is (equal (stat-counts) '(1 8 0 0)))
  (is (= (map-count conns) 1)))

(deftest from-the-higher-address-the-directions-turn
  (set-timeouts)
  (is (passes? (b->a 'syn)))
  (is (= (orig-dir) 1))
  (is (equal (per-direction) '(0 1 0 60)))
  (is (passes? (a->b 'syn 'ack) (b->a 'ack)))
  (is (= (state) +st-established+))
  (is (equal (per-direction) '(1 2 54 120)))
  (is (passes? (b->a 'fin 'ack)))
  (is (= (fins) 2))
  (is (= (state) +st-fin-wait+))
  (is (passes? (b->a 'fin 'ack)))
  (is (= (state) +st-fin-wait+) "the same FIN again")
  (is (passes? (a->b 'fin 'ack)))
  (is (= (state) +st-closing+)))

(deftest the-key-is-the-same-both-ways
  (set-timeouts)
  (flet ((ends (src sport dst dport)
           (packet (eth) (ipv4 :src src :dst dst) (udp :src-port sport :dst-port dport))))
    (is (passes? (ends "10.0.0.1" 5000 "10.0.0.2" 53)))
    (is (known? "10.0.0.1" "10.0.0.2" 5000 53 17))
    (is (= (orig-dir) 0))
    (is (passes? (ends "10.0.0.2" 53 "10.0.0.1" 5000)))
    (is (= (map-count conns) 1))
    ;; In host byte order 9.0.0.2 is lower than 10.0.0.1, in the packet's it would not be.
    (is (passes? (ends "10.0.0.1" 1 "9.0.0.2" 2) (ends "9.0.0.2" 2 "10.0.0.1" 1)))
    (is (= (conn-orig-dir (known? "9.0.0.2" "10.0.0.1" 2 1 17)) 1))
    ;; Equal addresses: the lower port, 255 before 256.
    (is (passes? (ends "10.0.0.1" 256 "10.0.0.1" 255) (ends "10.0.0.1" 255 "10.0.0.1" 256)))
    (is (= (conn-orig-dir (known? "10.0.0.1" "10.0.0.1" 255 256 17)) 1))
    (is (= (conn-state (known? "10.0.0.1" "10.0.0.1" 255 256 17)) +st-udp-seen+))
    ;; Equal ports, too: the source comes first, and there is no other direction.
    (is (passes? (ends "10.0.0.1" 7 "10.0.0.1" 7) (ends "10.0.0.1" 7 "10.0.0.1" 7)))
    (is (= (conn-orig-dir (known? "10.0.0.1" "10.0.0.1" 7 7 17)) 0))
    (is (= (conn-state (known? "10.0.0.1" "10.0.0.1" 7 7 17)) +st-udp-new+))
    (is (= (map-count conns) 4))
    ;; A higher address with a lower port is the higher end all the same.
    (is (passes? (ends "192.168.0.1" 1 "192.168.0.9" 60000)))
    (is (known? "192.168.0.1" "192.168.0.9" 1 60000 17))
    (is (passes? (ends "200.0.0.9" 1 "100.0.0.1" 60000)))
    (is (known? "100.0.0.1" "200.0.0.9" 60000 1 17) "addresses are unsigned")))

(deftest udp-is-seen-when-it-answers
  (set-timeouts)
  (flet ((there () (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (udp :src-port 5 :dst-port 53) (payload 10)))
         (back () (packet (eth) (ipv4 :src "10.0.0.2" :dst "10.0.0.1") (udp :src-port 53 :dst-port 5))))
    (is (passes? (there)))
    (is (= (state) +st-udp-new+))
    (is (passes? (there)))
    (is (= (state) +st-udp-new+))
    (is (equal (per-direction) '(2 0 104 0)))
    (is (passes? (back)))
    (is (= (state) +st-udp-seen+))
    (is (passes? (back) (there)))
    (is (= (state) +st-udp-seen+))
    (is (equal (per-direction) '(3 2 156 84)))
    (is (equal (stat-counts) '(1 4 0 0)))
    (is (passes? (a->b 'syn)))
    (is (= (map-count conns) 2))))

(deftest tcp-and-udp-of-the-same-ends-are-two
  (set-timeouts)
  (is (passes? (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.0.0.2") (udp :src-port 4000 :dst-port 80)) (a->b 'syn)))
  (is (= (conn-state (known? "10.0.0.1" "10.0.0.2" 4000 80 17)) +st-udp-new+))
  (is (= (conn-state (known? "10.0.0.1" "10.0.0.2" 4000 80 6)) +st-syn-sent+))
  (is (equal (stat-counts) '(2 0 0 0))))

(deftest only-a-plain-syn-begins
  (set-timeouts)
  (is (drops? (a->b 'ack) (a->b) (a->b 'syn 'ack) (a->b 'syn 'fin) (a->b 'syn 'rst) (a->b 'rst) (b->a 'fin 'ack)))
  (is (= (map-count conns) 0))
  (is (equal (stat-counts) '(0 0 7 0)))
  (is (passes? (a->b 'syn 'psh)) "the other flags do not matter")
  (is (equal (stat-counts) '(1 0 7 0))))

(defmacro in-state ((state &key (orig 0) (fin-mask 0)) packet verdict new &optional (orig-after orig) (fins-after fin-mask))
  "Checks what a packet does to a connection in a state: the verdict, the state, who began, whose FINs came."
  `(progn
     (setf (map-ref conns (key-of "10.0.0.1" "10.0.0.2" 4000 80 6))
           (make-conn-record :last 100 :packets '(5 5) :bytes '(500 500)
                             :state ,state :orig-dir ,orig :fin-mask ,fin-mask))
     (let ((before (stat-counts)))
       (is (= (verdict ,packet) ,verdict))
       (is (equal (list (state) (orig-dir) (fins)) (list ,new ,orig-after ,fins-after)))
       (is (= (reduce #'+ (per-direction)) (if (= ,verdict XDP_PASS) (+ 1011 (length ,packet)) 1010)))
       (is (equal (mapcar #'- (stat-counts) before) (if (= ,verdict XDP_PASS) '(0 1 0 0) '(0 0 0 1)))))))

(deftest a-reset-closes-whatever-there-is
  (set-timeouts)
  (loop for s from +st-syn-sent+ to +st-closed+
        do (in-state (s) (a->b 'rst) XDP_PASS +st-closed+)
           (in-state (s) (b->a 'rst 'ack) XDP_PASS +st-closed+)
           (in-state (s :fin-mask 2) (b->a 'rst 'syn 'fin) XDP_PASS +st-closed+)))

(deftest a-syn-begins-again-or-is-repeated
  (set-timeouts)
  (in-state (+st-closed+ :fin-mask 3) (a->b 'syn) XDP_PASS +st-syn-sent+ 0 0)
  (in-state (+st-closed+ :fin-mask 3) (b->a 'syn) XDP_PASS +st-syn-sent+ 1 0)
  (in-state (+st-closing+ :fin-mask 3) (b->a 'syn) XDP_PASS +st-syn-sent+ 1 0)
  (in-state (+st-closing+ :orig 1 :fin-mask 3) (a->b 'syn 'fin) XDP_PASS +st-syn-sent+ 0 0)
  (in-state (+st-syn-sent+) (a->b 'syn) XDP_PASS +st-syn-sent+)
  (in-state (+st-syn-sent+ :orig 1) (b->a 'syn) XDP_PASS +st-syn-sent+)
  (in-state (+st-syn-sent+) (b->a 'syn) XDP_DROP +st-syn-sent+)
  (in-state (+st-syn-recv+) (a->b 'syn) XDP_DROP +st-syn-recv+)
  (in-state (+st-established+) (a->b 'syn) XDP_DROP +st-established+)
  (in-state (+st-established+) (b->a 'syn) XDP_DROP +st-established+)
  (in-state (+st-fin-wait+ :fin-mask 1) (a->b 'syn) XDP_DROP +st-fin-wait+))

(deftest a-syn-is-answered-once
  (set-timeouts)
  (in-state (+st-syn-sent+) (b->a 'syn 'ack) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-sent+ :orig 1) (a->b 'syn 'ack) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-sent+) (a->b 'syn 'ack) XDP_DROP +st-syn-sent+)
  (in-state (+st-syn-recv+) (b->a 'syn 'ack) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-recv+) (a->b 'syn 'ack) XDP_DROP +st-syn-recv+)
  (in-state (+st-established+) (b->a 'syn 'ack) XDP_DROP +st-established+)
  (in-state (+st-fin-wait+ :fin-mask 1) (b->a 'syn 'ack) XDP_DROP +st-fin-wait+)
  (in-state (+st-closing+ :fin-mask 3) (b->a 'syn 'ack) XDP_DROP +st-closing+)
  (in-state (+st-closed+) (b->a 'syn 'ack) XDP_DROP +st-closed+))

(deftest the-rest-needs-a-connection
  (set-timeouts)
  (in-state (+st-syn-sent+) (a->b 'ack) XDP_DROP +st-syn-sent+)
  (in-state (+st-syn-sent+) (b->a 'fin 'ack) XDP_DROP +st-syn-sent+)
  (in-state (+st-closed+) (a->b 'ack) XDP_DROP +st-closed+)
  (in-state (+st-closed+) (b->a 'fin) XDP_DROP +st-closed+)
  (in-state (+st-syn-recv+) (b->a 'ack) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-recv+) (a->b 'psh) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-recv+) (a->b 'ack) XDP_PASS +st-established+)
  (in-state (+st-syn-recv+ :orig 1) (a->b 'ack) XDP_PASS +st-syn-recv+)
  (in-state (+st-syn-recv+ :orig 1) (b->a 'ack) XDP_PASS +st-established+)
  (in-state (+st-established+) (a->b) XDP_PASS +st-established+))

(deftest fins-come-from-both
  (set-timeouts)
  (in-state (+st-syn-recv+) (a->b 'fin 'ack) XDP_PASS +st-fin-wait+ 0 1)
  (in-state (+st-syn-recv+) (b->a 'fin 'ack) XDP_PASS +st-fin-wait+ 0 2)
  (in-state (+st-established+) (a->b 'fin) XDP_PASS +st-fin-wait+ 0 1)
  (in-state (+st-established+ :orig 1) (a->b 'fin) XDP_PASS +st-fin-wait+ 1 1)
  (in-state (+st-fin-wait+ :fin-mask 1) (a->b 'fin 'ack) XDP_PASS +st-fin-wait+ 0 1)
  (in-state (+st-fin-wait+ :fin-mask 1) (b->a 'fin 'ack) XDP_PASS +st-closing+ 0 3)
  (in-state (+st-fin-wait+ :fin-mask 2) (a->b 'fin 'ack) XDP_PASS +st-closing+ 0 3)
  (in-state (+st-fin-wait+ :fin-mask 1) (b->a 'ack) XDP_PASS +st-fin-wait+ 0 1)
  (in-state (+st-closing+ :fin-mask 3) (b->a 'fin 'ack) XDP_PASS +st-closing+ 0 3))

(deftest the-last-time-is-kept
  (set-timeouts)
  (is (= (verdict (a->b 'syn) 5000) XDP_PASS))
  (is (= (conn-last (only-conn)) 5000))
  (is (= (verdict (b->a 'syn 'ack) 6000) XDP_PASS))
  (is (= (conn-last (only-conn)) 6000))
  (is (= (verdict (b->a 'syn) 7000) XDP_DROP))
  (is (= (conn-last (only-conn)) 6000) "an invalid packet does not count"))

(deftest every-state-has-its-time
  (set-timeouts 1000 2000 3000 4000 5000 6000 7000 8000)
  (loop for s from 1 to 6
        do (flet ((at (now)
                    (setf (map-ref conns (key-of "10.0.0.1" "10.0.0.2" 4000 80 6))
                          (make-conn-record :last 100000 :state s :packets '(3 3)))
                    (verdict (a->b 'syn 'psh) (+ 100000 now))
                    (per-direction)))
             (is (/= (first (at (* 1000 s))) 1) "not yet")
             (is (equal (at (1+ (* 1000 s))) '(1 0 54 0)) "too long: a new one")))
  (is (= (second (stat-counts)) 3) "in SYN_SENT, CLOSING and CLOSED a SYN is known")
  (is (= (fourth (stat-counts)) 3))
  (is (= (first (stat-counts)) 6)))

(deftest an-expired-connection-is-gone
  (set-timeouts 1000 1000 1000 1000 1000 1000 1000 1000)
  (is (= (verdict (a->b 'syn) 5000) XDP_PASS))
  (is (= (verdict (b->a 'syn 'ack) 6001) XDP_DROP))
  (is (= (map-count conns) 0))
  (is (equal (stat-counts) '(1 0 1 0)))
  (is (= (verdict (a->b 'syn) 7000) XDP_PASS))
  (is (= (verdict (b->a 'syn 'ack) 8000) XDP_PASS))
  (is (equal (stat-counts) '(2 1 1 0)))
  (flet ((udp (now) (verdict (packet (eth) (ipv4) (udp)) now)))
    (is (= (udp 10000) XDP_PASS))
    (is (= (udp 11000) XDP_PASS))
    (is (= (udp 12001) XDP_PASS))
    (is (equal (stat-counts) '(4 2 1 0)) "the third was a new one"))
  ;; A clock that went back is a very long time, unsigned.
  (is (= (verdict (packet (eth) (ipv4) (udp)) 12000) XDP_PASS))
  (is (equal (stat-counts) '(5 2 1 0))))

(deftest other-packets-pass-uncounted
  (let ((tcp (a->b 'syn)) (udp (packet (eth) (ipv4) (udp) (payload 1))))
    (dolist (p (list (packet (eth) (arp))
                     (packet (eth) (ipv6) (tcp :syn t))
                     (packet (eth) (vlan) (ipv4) (tcp :syn t))
                     (packet (eth) (ipv4) (icmp) (payload 30))
                     (packet (eth) (ipv4 :protocol 132) (tcp))
                     (packet (eth) (ipv4 :ihl 4) (tcp) (payload 9))
                     (packet (eth) (ipv4 :more-fragments t) (tcp))
                     (packet (eth) (ipv4 :fragment-offset 1) (udp))
                     (packet (eth) (ipv4 :fragment-offset #x1000) (udp))
                     (subseq tcp 0 53) (subseq tcp 0 42) (subseq tcp 0 34) (subseq tcp 0 33) (subseq tcp 0 14)
                     (subseq udp 0 41) (subseq udp 0 34)
                     (subseq (packet (eth) (ipv4 :options 40) (udp)) 0 81)))
      (is (passes? p)))
    (is (equal (stat-counts) '(0 0 0 0)))
    (is (= (map-count conns) 0))
    (is (passes? (subseq tcp 0 54) (subseq udp 0 42) (packet (eth) (ipv4 :options 40 :dont-fragment t) (udp :src-port 9))))
    (is (equal (stat-counts) '(3 0 0 0)))))
