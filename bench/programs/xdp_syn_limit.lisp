;;; Limits new TCP connections by IPv4 source address: the counterpart of xdp_syn_limit.bpf.c.

(defconstant +window-ns+ 1000000000)
(defconstant +syn-limit+ 20)

(defstruct source (start u64) (count u32) (dropped u32))
(defmap sources :type :lru-hash :key u32 :value source :max-entries 65536)
(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 2)

(defprog xdp_syn_limit (:type :xdp :section "xdp" :license "GPL")
  (with-ipv4 (data end ip)
    (let* ((ihl (logand (ipv4-ver-ihl ip) 15))
           (tcp (+ ip (* ihl 4))))
      (when (and (>= ihl 5)
                 (= (ipv4-protocol ip) +ip-proto-tcp+)
                 (not (logtest (ipv4-frag-off ip) #x1fff))
                 (<= (+ tcp 20) end)
                 (= (logand (tcp-flags tcp) (logior +tcp-syn+ +tcp-ack+)) +tcp-syn+))
        (incf (getmap stats 0))
        (let ((now (ktime-get-ns)))
          (if-let (s (map-lookup sources (ipv4-src-addr ip)))
            (if (>= (- now (source-start s)) +window-ns+)
                (setf (source-start s) now
                      (source-count s) 1)
                (when (> (incf (source-count s)) +syn-limit+)
                  (incf (source-dropped s))
                  (incf (getmap stats 1))
                  (return XDP_DROP)))
            (let ((fresh (make-source)))
              (setf (source-start fresh) now
                    (source-count fresh) 1)
              (setf (getmap sources (ipv4-src-addr ip)) fresh)))))))
  XDP_PASS)

(defun syn-from (address) (packet (eth) (ipv4 :src address) (tcp :syn t)))

(defun stat (i) (reduce #'+ (map-ref stats i)))

(defun ignored? (p)
  "Whether the packet passes as it is and leaves no trace."
  (multiple-value-bind (verdict after) (run-prog xdp_syn_limit p)
    (and (= verdict XDP_PASS) (equalp after p)
         (zerop (map-count sources)) (zerop (stat 0)) (zerop (stat 1)))))

(deftest twenty-pass-and-the-rest-is-dropped
  (dotimes (i 20)
    (multiple-value-bind (verdict after) (run-prog xdp_syn_limit (syn-from "10.0.0.1"))
      (is (= verdict XDP_PASS))
      (is (equalp after (syn-from "10.0.0.1")))))
  (is (= (source-count (map-ref sources (ip4 "10.0.0.1"))) 20))
  (is (= (source-dropped (map-ref sources (ip4 "10.0.0.1"))) 0))
  (is (= (stat 1) 0))
  (dotimes (i 3)
    (is (= (run-prog xdp_syn_limit (syn-from "10.0.0.1")) XDP_DROP)))
  (is (= (source-count (map-ref sources (ip4 "10.0.0.1"))) 23))
  (is (= (source-dropped (map-ref sources (ip4 "10.0.0.1"))) 3))
  (is (= (stat 0) 23))
  (is (= (stat 1) 3)))

(deftest every-address-has-its-own-count
  (dotimes (i 22) (run-prog xdp_syn_limit (syn-from "10.0.0.1")))
  (is (= (run-prog xdp_syn_limit (syn-from "10.0.0.2")) XDP_PASS))
  (is (= (run-prog xdp_syn_limit (packet (eth) (ipv4 :src "10.0.0.1" :dst "10.9.9.9") (tcp :syn t :dst-port 22))) XDP_DROP)
      "destination and ports do not matter")
  (is (= (map-count sources) 2))
  (is (= (source-count (map-ref sources (ip4 "10.0.0.2"))) 1))
  (is (= (stat 0) 24)))

(defun syn-at (now &optional (address "10.0.0.1")) (run-prog xdp_syn_limit (syn-from address) :clock now))

(defun state (&optional (address "10.0.0.1"))
  (let ((s (map-ref sources (if (equal address "10.0.0.1") (ip4 "10.0.0.1") (ip4 "10.0.0.2")))))
    (list (source-start s) (source-count s) (source-dropped s))))

(deftest the-window-starts-with-the-first
  (is (= (syn-at 5000000000) XDP_PASS))
  (is (equal (state) '(5000000000 1 0)))
  (is (= (syn-at 5000000001) XDP_PASS))
  (is (equal (state) '(5000000000 2 0)) "the start stays"))

(deftest a-second-later-it-starts-again
  (dotimes (i 22) (syn-at 5000000000))
  (is (equal (state) '(5000000000 22 2)))
  (is (= (syn-at 5999999999) XDP_DROP) "a nanosecond less than a second")
  (is (equal (state) '(5000000000 23 3)))
  (is (= (syn-at 6000000000) XDP_PASS) "exactly a second")
  (is (equal (state) '(6000000000 1 3)) "what was dropped is kept")
  (is (= (stat 0) 24))
  (is (= (stat 1) 3))
  (dotimes (i 19) (is (= (syn-at 6500000000) XDP_PASS)))
  (is (= (syn-at 6999999999) XDP_DROP))
  (is (equal (state) '(6000000000 21 4)))
  (is (= (syn-at 99000000000) XDP_PASS))
  (is (equal (state) '(99000000000 1 4))))

(deftest only-syn-without-ack-is-looked-at
  (is (ignored? (packet (eth) (ipv4) (tcp :syn t :ack t))))
  (is (ignored? (packet (eth) (ipv4) (tcp :ack t))))
  (is (ignored? (packet (eth) (ipv4) (tcp :fin t :rst t :psh t :urg t :ece t :cwr t))))
  (is (ignored? (packet (eth) (ipv4) (tcp))))
  (run-prog xdp_syn_limit (packet (eth) (ipv4) (tcp :syn t :fin t :rst t :psh t :urg t :ece t :cwr t)))
  (is (= (stat 0) 1) "the other flags do not matter"))

(deftest only-plain-ipv4-and-tcp-are-looked-at
  (is (ignored? (packet (eth) (ipv4) (udp) (payload "            " 8))))
  (is (ignored? (packet (eth) (ipv4 :protocol 7) (tcp :syn t))))
  (is (ignored? (packet (eth) (ipv6) (tcp :syn t))))
  (is (ignored? (packet (eth) (vlan) (ipv4) (tcp :syn t))))
  (is (ignored? (packet (eth :type #x86dd) (ipv4) (tcp :syn t))))
  (is (ignored? (packet (eth) (ipv4 :ihl 4) (tcp :syn t) (payload 20))))
  ;; With a header length of 4 the flags would be where the real header's source port ends.
  (is (ignored? (packet (eth) (ipv4 :ihl 4) (payload 9 '(2) 30))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset 1) (tcp :syn t))))
  (is (ignored? (packet (eth) (ipv4 :fragment-offset #x1000) (tcp :syn t)))))

(deftest first-fragments-and-options-are-looked-at
  (run-prog xdp_syn_limit (packet (eth) (ipv4 :more-fragments t) (tcp :syn t)))
  (is (= (stat 0) 1))
  (run-prog xdp_syn_limit (packet (eth) (ipv4 :options 40) (tcp :syn t)))
  (is (= (stat 0) 2))
  (is (= (map-count sources) 1)))

(deftest both-headers-have-to-be-there
  (let ((p (packet (eth) (ipv4) (tcp :syn t) (payload 1)))
        (long (packet (eth) (ipv4 :options 40) (tcp :syn t) (payload 1))))
    (dolist (n '(53 48 34 33 14)) (is (ignored? (subseq p 0 n))))
    (dolist (n '(93 74 54)) (is (ignored? (subseq long 0 n))))
    (run-prog xdp_syn_limit (subseq p 0 54))
    (is (= (stat 0) 1))
    (run-prog xdp_syn_limit (subseq long 0 94))
    (is (= (stat 0) 2))))
