;;; Drops DNS queries with overlong names, too many labels, malformed names, or of type ANY:
;;; the counterpart of xdp_dns_filter.bpf.c.

(defconstant +dns-port+ 53)
(defconstant +dns-type-any+ 255)
(defconstant +max-labels+ 16)
(defconstant +max-name+ 100)

(defconstant +accepted+ 0)
(defconstant +too-long+ 1)
(defconstant +too-many-labels+ 2)
(defconstant +malformed+ 3)
(defconstant +any-query+ 4)

(defmap verdicts :type :percpu-array :key u32 :value u64 :max-entries 5)
(defmap lengths :type :percpu-array :key u32 :value u64 :max-entries 101)

(defmacro refuse (verdict)
  `(progn (incf (getmap verdicts ,verdict)) (return XDP_DROP)))

(defmacro udp-header (data end)
  "Where the UDP header of an IPv4 or IPv6 packet would be; leaves the program when it is none."
  `(let ((ip (+ ,data +eth-hdr-len+)))
     (case (eth-type ,data)
       (#x0800
        (unless (<= (+ ip 20) ,end) (return XDP_PASS))
        (let ((ihl (logand (ipv4-ver-ihl ip) 15)))
          (when (or (< ihl 5)
                    (/= (ipv4-protocol ip) +ip-proto-udp+)
                    (logtest (ipv4-frag-off ip) #x1fff))
            (return XDP_PASS))
          (+ ip (* ihl 4))))
       (#x86dd
        (unless (and (<= (+ ip 40) ,end) (= (ipv6-nexthdr ip) +ip-proto-udp+))
          (return XDP_PASS))
        (+ ip 40))
       (t (return XDP_PASS)))))

(defprog xdp_dns_filter (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let* ((udp (udp-header data end))
           (dns (+ udp 8))
           (pos (+ dns 12))
           (length u32 0)
           (labels 0))
      (unless (<= (+ udp 8) end) (return XDP_PASS))
      (unless (= (udp-dst-port udp) +dns-port+) (return XDP_PASS))
      (unless (<= (+ dns 12) end) (return XDP_PASS))
      (when (logtest (load u8 dns 2) #xf8) (return XDP_PASS))
      (unless (= (ntohs (load u16 dns 4)) 1) (refuse +malformed+))
      (loop :max 17
        (unless (<= (+ pos 1) end) (refuse +malformed+))
        (let ((n (load u8 pos)))
          (when (zerop n)
            (when (> (incf length) +max-name+) (refuse +too-long+))
            (unless (<= (+ pos 5) end) (refuse +malformed+))
            (when (= (ntohs (load u16 pos 1)) +dns-type-any+) (refuse +any-query+))
            (incf (getmap verdicts +accepted+))
            (incf (getmap lengths length))
            (return XDP_PASS))
          (when (logtest n #xc0) (refuse +malformed+))
          (when (= labels +max-labels+) (refuse +too-many-labels+))
          (incf labels)
          (when (> (incf length (+ n 1)) +max-name+) (refuse +too-long+))
          (setf pos (+ pos n 1))))))
  XDP_PASS)

(defun labels-of (&rest lengths)
  "A name of labels of these lengths, with the zero at its end."
  (append (loop for n in lengths append (cons n (loop repeat n collect (char-code #\a)))) '(0)))

(defun asks (name &key (type 1) (flags 1) (count 1) (tail '(0 1)))
  "A DNS query for a name as it stands in the packet."
  (list 0 9 flags 0 (floor count 256) (mod count 256) 0 0 0 0 0 0 name
        (list (floor type 256) (mod type 256)) tail))

(defun flat (x) (cond ((null x) nil) ((consp x) (append (flat (car x)) (flat (cdr x)))) (t (list x))))

(defun query (name &rest more)
  (packet (eth) (ipv4) (udp :dst-port 53) (payload (flat (apply #'asks name more)))))

(defun verdict-counts () (loop for i below 5 collect (reduce #'+ (map-ref verdicts i))))

(defun length-counts ()
  "The lengths that were counted, each as often."
  (loop for i below 101 append (loop repeat (reduce #'+ (map-ref lengths i)) collect i)))

(defun outcome (p)
  "Which verdict was counted, nil for none, :changed when the packet or what comes of it does not fit."
  (let ((before (verdict-counts)))
    (multiple-value-bind (verdict after) (run-prog xdp_dns_filter p)
      (let* ((grown (loop for a in before for b in (verdict-counts) for i from 0 unless (= a b) collect i))
             (which (first grown)))
        (if (and (equalp after p)
                 (<= (length grown) 1)
                 (= verdict (if (or (null which) (= which +accepted+)) XDP_PASS XDP_DROP)))
            which
            :changed)))))

(defun uncounted? (p) (null (outcome p)))

(deftest plain-questions-pass
  (is (eql (outcome (packet (eth) (ipv4) (udp) (dns :question "www.example.com"))) +accepted+))
  (is (eql (outcome (packet (eth) (ipv6) (udp) (dns :question "www.example.com" :question-type 28))) +accepted+))
  (is (eql (outcome (query '(0))) +accepted+) "the root")
  (is (equal (length-counts) '(1 17 17)))
  (is (equal (verdict-counts) '(3 0 0 0 0))))

(deftest questions-for-any-do-not
  (is (eql (outcome (packet (eth) (ipv4) (udp) (dns :question "example.com" :question-type 255))) +any-query+))
  (is (eql (outcome (packet (eth) (ipv6) (udp) (dns :question "example.com" :question-type 255))) +any-query+))
  (is (eql (outcome (query (labels-of 3) :type 254)) +accepted+))
  (is (eql (outcome (query (labels-of 3) :type 256)) +accepted+))
  (is (eql (outcome (query (labels-of 3) :type #xff00)) +accepted+) "in the other byte order it is none")
  (is (equal (length-counts) '(5 5 5)) "a refused one has no length"))

(deftest names-of-a-hundred-bytes-are-the-longest
  (is (eql (outcome (query (labels-of 48 49))) +accepted+) "100 with the zero")
  (is (eql (outcome (query (labels-of 49 49))) +too-long+) "100 without it, 101 with it")
  (is (eql (outcome (query (labels-of 50 49))) +too-long+) "101 before the zero")
  (is (eql (outcome (query (labels-of 63 63 63))) +too-long+))
  (is (eql (outcome (query (labels-of 63 34))) +accepted+))
  (is (eql (outcome (query (labels-of 63 35))) +too-long+))
  (is (eql (outcome (query (labels-of 63 63) :type 255)) +too-long+) "too long comes before the type")
  (is (equal (length-counts) '(100 100))))

(deftest a-name-that-is-too-long-need-not-be-there
  (is (eql (outcome (query '(63 1 2 3))) +malformed+))
  (is (eql (outcome (packet (eth) (ipv4) (udp :dst-port 53) (payload 4 '(0 1) 6 '(63) 63 '(63)))) +too-long+))
  (is (eql (outcome (packet (eth) (ipv4) (udp :dst-port 53) (payload 4 '(0 1) 6 '(48) 48 '(49) 49 '(0)))) +malformed+)
      "no type behind a name of 100")
  (is (eql (outcome (packet (eth) (ipv4) (udp :dst-port 53) (payload 4 '(0 1) 6 '(49) 49 '(49) 49 '(0)))) +too-long+)
      "none behind one of 101, which is said first"))

(deftest sixteen-labels-are-the-most
  (is (eql (outcome (query (apply #'labels-of (loop repeat 16 collect 1)))) +accepted+))
  (is (eql (outcome (query (apply #'labels-of (loop repeat 17 collect 1)))) +too-many-labels+))
  (is (eql (outcome (query (apply #'labels-of (loop repeat 16 collect 5)))) +accepted+))
  (is (eql (outcome (query (append (butlast (apply #'labels-of (loop repeat 16 collect 1))) '(63)))) +too-many-labels+)
      "the seventeenth is not looked at any more")
  (is (eql (outcome (query (append (butlast (apply #'labels-of (loop repeat 16 collect 1))) '(192)))) +malformed+)
      "but for what it is")
  (is (equal (length-counts) '(33 97))))

(deftest compressed-and-reserved-lengths-are-malformed
  (is (eql (outcome (query '(#xc0 12))) +malformed+))
  (is (eql (outcome (query '(#x40 1))) +malformed+))
  (is (eql (outcome (query '(#x80 1))) +malformed+))
  (is (eql (outcome (query '(1 97 #xc0 12))) +malformed+))
  (is (eql (outcome (query (labels-of 63))) +accepted+)))

(deftest a-question-has-to-be-whole
  (let ((p (query (labels-of 3 3))))
    ;; 42 + 12 bytes of headers, 9 of the name, 4 behind it.
    (is (= (length p) 67))
    (is (eql (outcome p) +accepted+))
    (dolist (n '(66 65 64 63 62 59 58 57 55 54))
      (is (eql (outcome (subseq p 0 n)) +malformed+)))
    (dolist (n '(53 46 42 41 38 34 33 14))
      (is (uncounted? (subseq p 0 n)) "without the headers it is none of ours"))
    (is (equal (verdict-counts) '(1 0 0 10 0)))))

(deftest ipv6-questions-have-to-be-whole
  (let ((p (packet (eth) (ipv6) (udp) (dns :question "abc.def"))))
    (is (= (length p) 87))
    (is (eql (outcome p) +accepted+))
    (dolist (n '(86 83 82 75 74)) (is (eql (outcome (subseq p 0 n)) +malformed+)))
    (dolist (n '(73 62 61 54 53 14)) (is (uncounted? (subseq p 0 n))))))

(deftest one-question-each
  (is (eql (outcome (query (labels-of 3) :count 0)) +malformed+))
  (is (eql (outcome (query (labels-of 3) :count 2)) +malformed+))
  (is (eql (outcome (query (labels-of 3) :count 256)) +malformed+))
  (is (eql (outcome (query (labels-of 3) :count 257)) +malformed+)))

(deftest answers-and-other-operations-are-not-looked-at
  (is (uncounted? (packet (eth) (ipv4) (udp) (dns :response t :question "example.com" :answer "192.0.2.1"))))
  (dolist (flags '(#x08 #x10 #x20 #x40 #x80))
    (is (uncounted? (query (labels-of 3) :flags flags :count 0))))
  (is (eql (outcome (query (labels-of 3) :flags 7)) +accepted+) "the other flags do not matter"))

(deftest other-packets-are-not-looked-at
  (let ((dns (flat (asks '(#xc0 12)))))
    (is (eql (outcome (packet (eth) (ipv4) (udp :dst-port 53) (payload dns))) +malformed+))
    (is (eql (outcome (packet (eth) (ipv4 :options 40) (udp :dst-port 53) (payload dns))) +malformed+))
    (is (eql (outcome (packet (eth) (ipv4 :more-fragments t) (udp :dst-port 53) (payload dns))) +malformed+))
    (dolist (p (list (packet (eth) (ipv4) (udp :dst-port 54) (payload dns))
                     (packet (eth) (ipv4) (udp :dst-port (htons 53)) (payload dns))
                     (packet (eth) (ipv4) (udp :src-port 53 :dst-port 1000) (payload dns))
                     (packet (eth) (ipv4) (tcp :dst-port 53) (payload dns))
                     (packet (eth) (ipv4 :protocol 6) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv4 :fragment-offset 1) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv4 :fragment-offset #x1000) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv4 :ihl 4) (payload '(0 53) 0) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv4 :ihl 4 :dst "9.9.0.53" :protocol 17) (payload 4 dns))
                     (packet (eth) (vlan) (ipv4) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv6 :nexthdr 6) (udp :dst-port 53) (payload dns))
                     (packet (eth) (ipv6) (hop-by-hop) (udp :dst-port 53) (payload dns))
                     (packet (eth) (arp))))
      (is (uncounted? p)))
    (is (equal (verdict-counts) '(0 0 0 3 0)))))

(deftest the-verdicts-numbers-are-those-of-the-comment
  (outcome (query (labels-of 3)))
  (is (equal (verdict-counts) '(1 0 0 0 0)) "accepted")
  (outcome (query (labels-of 50 50)))
  (is (equal (verdict-counts) '(1 1 0 0 0)) "too long")
  (outcome (query (apply #'labels-of (loop repeat 17 collect 1))))
  (is (equal (verdict-counts) '(1 1 1 0 0)) "too many labels")
  (outcome (query '(192)))
  (is (equal (verdict-counts) '(1 1 1 1 0)) "malformed")
  (outcome (query (labels-of 3) :type 255))
  (is (equal (verdict-counts) '(1 1 1 1 1)) "any"))

;; The kernel's test run takes no such packet; a clock keeps the test out of it.
(deftest less-than-a-link-header-passes
  (is (= (run-prog xdp_dns_filter (subseq (query '(192)) 0 13) :clock 0) XDP_PASS))
  (is (equal (verdict-counts) '(0 0 0 0 0))))
