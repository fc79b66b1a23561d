;;; Filters by longest matching source prefix, IPv4 and IPv6, behind up to two VLAN tags:
;;; the counterpart of xdp_lpm_filter.bpf.c.

(defconstant +max-vlans+ 2)
(defconstant +ethertype-qinq+ #x88a8)
(defconstant +act-drop+ 1)
(defconstant +act-tx+ 2)

(defstruct key4 (prefixlen u32) (addr u32))
(defstruct key6 (prefixlen u32) (addr (array u8 16)))
(defstruct rule (action u32) (hits u32))

(defmap rules4 :type :lpm-trie :key key4 :value rule :max-entries 4096 :map-flags BPF_F_NO_PREALLOC)
(defmap rules6 :type :lpm-trie :key key6 :value rule :max-entries 4096 :map-flags BPF_F_NO_PREALLOC)

(defmacro apply-rule (rule)
  `(when-let ((rule ,rule))
     (atomic-incf (rule-hits rule))
     (case (rule-action rule)
       (+act-drop+ (return XDP_DROP))
       (+act-tx+ (return XDP_TX)))))

(defprog xdp_lpm_filter (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let ((type (eth-type data))
          (pos (+ data +eth-hdr-len+)))
      (dotimes (i +max-vlans+)
        (when (or (= type +ethertype-vlan+) (= type +ethertype-qinq+))
          (unless (<= (+ pos 4) end) (return XDP_PASS))
          (setf type (ntohs (load u16 pos 2))
                pos (+ pos 4))))
      (case type
        (#x0800
         (when (<= (+ pos 20) end)
           (let ((key (make-key4)))
             (setf (key4-prefixlen key) 32
                   (key4-addr key) (ipv4-src-addr pos))
             (apply-rule (map-lookup rules4 key)))))
        (#x86dd
         (when (<= (+ pos 40) end)
           (let ((key (make-key6)))
             (setf (key6-prefixlen key) 128)
             (memcpy (key6-addr-ptr key) 0 pos 8 16)
             (apply-rule (map-lookup rules6 key))))))))
  XDP_PASS)

(defun rule4 (length address action)
  (setf (map-ref rules4 (key4 length address)) (make-rule-record :action action)))

(defun key4 (length address)
  (make-key4-record :prefixlen length
                    :addr (htonl (reduce (lambda (a b) (+ (* a 256) b)) (ip4-bytes address)))))

(defun rule6 (length address action)
  (setf (map-ref rules6 (key6 length address)) (make-rule-record :action action)))

(defun key6 (length address)
  (make-key6-record :prefixlen length :addr (coerce (ip6-bytes address) 'vector)))

(defun hits4 (length address)
  "Of that very prefix: a look-up would find the longest one."
  (hits-in (map-entries rules4) length (list (key4-record-addr (key4 length address))) #'key4-record-prefixlen
           (lambda (k) (list (key4-record-addr k)))))

(defun hits6 (length address)
  (hits-in (map-entries rules6) length (ip6-bytes address) #'key6-record-prefixlen
           (lambda (k) (coerce (key6-record-addr k) 'list))))

(defun hits-in (entries length address prefixlen addr)
  (rule-hits (cdr (find-if (lambda (e)
                             (and (= (funcall prefixlen (car e)) length) (equal (funcall addr (car e)) address)))
                           entries))))

(defun verdict (p)
  "What comes of the packet; -1 when it was changed."
  (multiple-value-bind (verdict after) (run-prog xdp_lpm_filter p)
    (if (equalp after p) verdict -1)))

(defun v4 (address) (packet (eth) (ipv4 :src address) (udp)))
(defun v6 (address) (packet (eth) (ipv6 :src address) (udp)))

(deftest the-longest-prefix-decides
  (rule4 8 "10.0.0.0" 1)
  (rule4 16 "10.1.0.0" 2)
  (rule4 32 "10.1.2.3" 0)
  (rule4 24 "192.0.2.0" 1)
  (is (= (verdict (v4 "10.9.9.9")) XDP_DROP))
  (is (= (verdict (v4 "10.1.9.9")) XDP_TX))
  (is (= (verdict (v4 "10.1.2.3")) XDP_PASS))
  (is (= (verdict (v4 "10.1.2.2")) XDP_TX))
  (is (= (verdict (v4 "10.0.255.255")) XDP_DROP))
  (is (= (verdict (v4 "192.0.2.255")) XDP_DROP))
  (is (= (verdict (v4 "192.0.3.0")) XDP_PASS) "no match")
  (is (= (verdict (v4 "11.0.0.0")) XDP_PASS))
  (is (= (hits4 8 "10.0.0.0") 2))
  (is (= (hits4 16 "10.1.0.0") 2))
  (is (= (hits4 32 "10.1.2.3") 1))
  (is (= (hits4 24 "192.0.2.0") 1)))

(deftest the-longest-prefix-of-ipv6-decides
  (rule6 32 "2001:db8::" 1)
  (rule6 64 "2001:db8:0:1::" 2)
  (rule6 128 "2001:db8:0:1::7" 9)
  (is (= (verdict (v6 "2001:db8:ffff::1")) XDP_DROP))
  (is (= (verdict (v6 "2001:db8:0:1::8")) XDP_TX))
  (is (= (verdict (v6 "2001:db8:0:1::7")) XDP_PASS) "an action that is none of the two")
  (is (= (verdict (v6 "2001:db9::")) XDP_PASS))
  (is (= (hits6 32 "2001:db8::") 1))
  (is (= (hits6 64 "2001:db8:0:1::") 1))
  (is (= (hits6 128 "2001:db8:0:1::7") 1)))

(deftest the-source-counts-and-each-version-has-its-rules
  (rule4 32 "10.0.0.1" 1)
  (is (= (verdict (packet (eth) (ipv4 :src "10.0.0.2" :dst "10.0.0.1") (udp))) XDP_PASS))
  (is (= (verdict (v6 "::ffff:10.0.0.1")) XDP_PASS))
  (is (= (verdict (v6 "a00:1::")) XDP_PASS))
  (rule6 0 "::" 2)
  (is (= (verdict (v6 "::1")) XDP_TX))
  (is (= (verdict (v4 "10.0.0.2")) XDP_PASS))
  (is (= (hits6 0 "::") 1))
  (is (= (hits4 32 "10.0.0.1") 0)))

(deftest up-to-two-tags-are-skipped
  (rule4 0 "0.0.0.0" 1)
  (rule6 0 "::" 2)
  (is (= (verdict (packet (eth) (ipv4) (udp))) XDP_DROP))
  (is (= (verdict (packet (eth) (vlan :id 5) (ipv4) (udp))) XDP_DROP))
  (is (= (verdict (packet (eth :type #x88a8) (vlan) (ipv4) (udp))) XDP_DROP))
  (is (= (verdict (packet (eth) (vlan :id 5 :pcp 7) (vlan :id 6) (ipv4) (udp))) XDP_DROP))
  (is (= (verdict (packet (eth :type #x8100) (vlan :type #x88a8) (vlan) (ipv6) (udp))) XDP_TX))
  (is (= (verdict (packet (eth) (vlan) (ipv6) (udp))) XDP_TX))
  (is (= (verdict (packet (eth) (vlan) (vlan) (vlan) (ipv4) (udp))) XDP_PASS) "a third one is too many")
  (is (= (verdict (packet (eth :type #x9100) (vlan) (ipv4) (udp))) XDP_PASS))
  (is (= (hits4 0 "0.0.0.0") 4))
  (is (= (hits6 0 "::") 2)))

(deftest what-is-no-ip-passes
  (rule4 0 "0.0.0.0" 1)
  (rule6 0 "::" 1)
  (is (= (verdict (packet (eth) (arp))) XDP_PASS))
  (is (= (verdict (packet (eth) (vlan) (arp))) XDP_PASS))
  (is (= (verdict (packet (eth :type #x0008) (ipv4) (udp))) XDP_PASS))
  (is (= (hits4 0 "0.0.0.0") 0)))

(deftest truncated-packets-pass
  (rule4 0 "0.0.0.0" 1)
  (rule6 0 "::" 1)
  (let ((plain (v4 "10.0.0.1")) (six (v6 "::1"))
        (tagged (packet (eth) (vlan) (ipv4) (udp)))
        (twice (packet (eth) (vlan) (vlan) (ipv6) (udp))))
    (flet ((fine-from (p length)
             (is (= (verdict (subseq p 0 length)) XDP_DROP))
             (is (= (verdict (subseq p 0 (1- length))) XDP_PASS))))
      (fine-from plain 34)
      (fine-from six 54)
      (fine-from tagged 38)
      (fine-from twice 62))
    (dolist (n '(14 17 18)) (is (= (verdict (subseq tagged 0 n)) XDP_PASS)))
    (dolist (n '(18 21 22)) (is (= (verdict (subseq twice 0 n)) XDP_PASS)))
    ;; A tag that ends behind its own type: that of IPv4, with nothing behind it.
    (is (= (verdict (subseq tagged 0 18)) XDP_PASS))))
