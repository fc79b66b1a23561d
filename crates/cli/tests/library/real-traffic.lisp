;;; Real traffic: what two kernels' stacks and curl said to each other (data/make-captures.py), classified by a program,
;;; and by the host; and the host's packets against the kernel's.

(defmap kinds :type :array :key u32 :value u64 :max-entries 8)

(defprog classify (:type :xdp)
  (with-arp (data end arp) (incf (getmap kinds 0)))
  (with-icmp (data end icmp :options t) (incf (getmap kinds 3)))
  (with-icmpv6 (data end icmp :options t) (incf (getmap kinds 4)))
  (with-dns (data end dns :options t) (incf (getmap kinds 5)))
  XDP_PASS)

(defprog classify-transport (:type :xdp)
  (with-tcp (data end tcp :options t) (incf (getmap kinds 1)))
  (with-udp (data end udp :options t) (incf (getmap kinds 2)))
  XDP_PASS)

(defun traffic () (read-pcap "../data/lan.pcap"))

(defun has (pkt layer)
  (find layer (packet-layers pkt) :key #'first :test #'string-equal))

(deftest the-program-sees-what-the-host-sees
  (let ((all (traffic)))
    (is (= (length all) 55))
    (dolist (p all)
      (run-prog classify p)
      (run-prog classify-transport p))
    (loop for layer in '("arp" "tcp" "udp" "icmp" "icmpv6" "dns") for i from 0
          do (let ((n (count-if (lambda (p) (has p layer)) all)))
               (is (plusp n))
               (is (= (map-ref kinds i) n))))))

(deftest built-packets-are-as-the-kernel-makes-them
  ;; All but first fragments, whose UDP lengths go beyond.
  (dolist (p (traffic))
    (unless (and (has p "udp") (or (eql 1 (packet-field p :ipv4 :more-fragments)) (has p "fragment")))
      (is (packet-ok? p)))))

(defprog route (:type :xdp)
  (with-ipv4 (data end ip)
    (when (= (ipv4-ihl ip) 5)
      (ipv4-decrement-ttl ip)
      (eth-swap data)
      (return XDP_TX)))
  XDP_PASS)

(deftest routed-packets-are-right
  (dolist (p (traffic))
    (multiple-value-bind (verdict after) (run-prog route p)
      (cond ((= verdict XDP_TX)
             (is (= (packet-field after :ipv4 :ttl) (1- (packet-field p :ipv4 :ttl))))
             (is (equal (packet-field after :eth :dst) (packet-field p :eth :src)))
             (unless (eql 1 (packet-field p :ipv4 :more-fragments))
               (is (packet-ok? after))))
            (t (is (equalp after p)))))))
