;;; Redirects connect(2) on IPv4 sockets and remembers the original destination by socket cookie:
;;; the counterpart of cg_connect4.bpf.c.

(defconstant +allow+ 1)
(defconstant +refuse+ 0)
(defconstant +flag-refuse+ 1)

;; Addresses and ports as they stand in the context, in network byte order.
(defstruct dest (addr u32) (port u16) (proto u8) (zero u8))
(defstruct redirect (addr u32) (port u16) (flags u16) (hits u64))

(defmap redirects :type :hash :key dest :value redirect :max-entries 1024)
(defmap origins :type :lru-hash :key u64 :value dest :max-entries 16384)

(defmacro redirect-of (dest)
  "The entry for exactly that port, else the one for any port."
  `(or (map-lookup redirects ,dest)
       (let ((any-port (make-dest)))
         (setf (dest-addr any-port) (dest-addr ,dest)
               (dest-proto any-port) (dest-proto ,dest))
         (map-lookup redirects any-port))))

(defprog cg_connect4 (:type :cgroup-sock-addr :section "cgroup/connect4" :license "GPL")
  (let ((wanted (make-dest)))
    (setf (dest-addr wanted) (ctx user_ip4)
          (dest-port wanted) (cast u16 (ctx user_port))
          (dest-proto wanted) (cast u8 (ctx protocol)))
    (when-let ((to (redirect-of wanted)))
      (atomic-incf (redirect-hits to))
      (when (or (logtest (redirect-flags to) +flag-refuse+)
                (/= (map-update origins (get-socket-cookie (ctx-ptr)) wanted) 0))
        (return +refuse+))
      (setf (ctx user_ip4) (redirect-addr to))
      (unless (zerop (redirect-port to))
        (setf (ctx user_port) (redirect-port to)))))
  +allow+)

(defun field-number (address) (htonl (reduce (lambda (a b) (+ (* a 256) b)) (ip4-bytes address))))

(defun dest (address port &optional (protocol 6))
  (make-dest-record :addr (field-number address) :port (htons port) :proto protocol))

(defun redirect (address port to-address to-port &key (flags 0) (protocol 6))
  (setf (map-ref redirects (dest address port protocol))
        (make-redirect-record :addr (field-number to-address) :port (htons to-port) :flags flags)))

(defun hits (address port &optional (protocol 6)) (redirect-hits (map-ref redirects (dest address port protocol))))

(defun connect (address port &optional (protocol 6))
  "What comes of a connection: :refused, or where it goes, as (address port)."
  (multiple-value-bind (verdict packet context)
      (run-prog cg_connect4 nil
                :ctx (context :cgroup-sock-addr :user-family 2 :user-ip4 (field-number address)
                              :user-port (htons port) :family 2 :type 1 :protocol protocol))
    (if (= verdict +refuse+)
        :refused
        (list (format nil "~{~d~^.~}" (coerce (subseq context 4 8) 'list))
              (+ (* 256 (aref context 24)) (aref context 25))))))

(defun origin ()
  "The only remembered destination: address, port, protocol and the byte behind; nil when there is none."
  (when (= (map-count origins) 1)
    (let ((d (cdr (first (map-entries origins)))))
      (list (dest-addr d) (ntohs (dest-port d)) (dest-proto d) (dest-zero d)))))

(deftest a-connection-goes-elsewhere
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080)
  (is (equal (connect "192.0.2.1" 80) '("10.1.2.3" 8080)))
  (is (= (hits "192.0.2.1" 80) 1))
  (is (equal (origin) (list (field-number "192.0.2.1") 80 6 0))))

(deftest without-an-entry-it-stays
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080)
  (redirect "192.0.2.3" 0 "10.1.2.3" 8080)
  (is (equal (connect "192.0.2.1" 81) '("192.0.2.1" 81)))
  (is (equal (connect "192.0.2.2" 80) '("192.0.2.2" 80)))
  (is (equal (connect "192.0.2.1" 80 17) '("192.0.2.1" 80)) "UDP is another one")
  (is (equal (connect "192.0.2.3" 80 17) '("192.0.2.3" 80)) "for any port as well")
  (is (= (hits "192.0.2.1" 80) 0))
  (is (= (map-count origins) 0)))

(deftest an-entry-for-any-port
  (redirect "192.0.2.1" 0 "10.1.2.3" 0)
  (is (equal (connect "192.0.2.1" 81) '("10.1.2.3" 81)) "the port stays")
  (is (equal (origin) (list (field-number "192.0.2.1") 81 6 0)) "the port that was wanted is remembered")
  (is (equal (connect "192.0.2.1" 0) '("10.1.2.3" 0)))
  (redirect "192.0.2.2" 0 "10.1.2.3" 9000)
  (is (equal (connect "192.0.2.2" 443) '("10.1.2.3" 9000)))
  (is (= (hits "192.0.2.1" 0) 2))
  (is (= (hits "192.0.2.2" 0) 1)))

(deftest the-exact-port-comes-first
  (redirect "192.0.2.1" 0 "10.0.0.1" 1)
  (redirect "192.0.2.1" 80 "10.0.0.2" 2)
  (is (equal (connect "192.0.2.1" 80) '("10.0.0.2" 2)))
  (is (= (hits "192.0.2.1" 0) 0))
  (is (equal (connect "192.0.2.1" 79) '("10.0.0.1" 1)))
  (is (= (hits "192.0.2.1" 0) 1))
  (is (= (hits "192.0.2.1" 80) 1)))

(deftest refused-connections-leave-no-origin
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080 :flags 1)
  (redirect "192.0.2.1" 81 "10.1.2.3" 8080 :flags 3)
  (redirect "192.0.2.1" 0 "10.1.2.3" 8080 :flags 1)
  (is (eq (connect "192.0.2.1" 80) :refused))
  (is (eq (connect "192.0.2.1" 81) :refused))
  (is (eq (connect "192.0.2.1" 82) :refused))
  (is (= (hits "192.0.2.1" 80) 1) "but it is a hit")
  (is (= (map-count origins) 0))
  (redirect "192.0.2.1" 83 "10.1.2.3" 8080 :flags #xfffe)
  (is (equal (connect "192.0.2.1" 83) '("10.1.2.3" 8080)) "the other flags mean nothing"))

(deftest a-refused-context-is-as-it-was
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080 :flags 1)
  (let ((before (context :cgroup-sock-addr :user-family 2 :user-ip4 (ip4 "192.0.2.1") :user-port (htons 80) :protocol 6)))
    (multiple-value-bind (verdict packet context) (run-prog cg_connect4 nil :ctx before)
      (is (= verdict +refuse+))
      (is (equalp context before)))))

(deftest a-socket-has-one-origin
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080)
  (redirect "192.0.2.2" 53 "10.1.2.3" 5353 :protocol 17)
  (connect "192.0.2.1" 80)
  (connect "192.0.2.2" 53 17)
  (is (equal (origin) (list (field-number "192.0.2.2") 53 17 0)) "the last one"))

(deftest only-the-low-parts-of-port-and-protocol-count
  (redirect "192.0.2.1" 80 "10.1.2.3" 8080)
  (multiple-value-bind (verdict packet context)
      (run-prog cg_connect4 nil
                :ctx (context :cgroup-sock-addr :user-ip4 (ip4 "192.0.2.1") :user-port (+ #x70000 (htons 80)) :protocol #x106))
    (is (= verdict +allow+))
    (is (equal (coerce (subseq context 4 8) 'list) '(10 1 2 3)))
    (is (equal (origin) (list (field-number "192.0.2.1") 80 6 0)))))
