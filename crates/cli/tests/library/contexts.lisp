;;; Contexts built field by field, for programs of every kind that can be simulated.

(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog of-xdp (:type :xdp)
  (setf (getmap out 0) (ctx ingress_ifindex)
        (getmap out 1) (ctx rx_queue_index)
        (getmap out 2) (- (xdp-data-end) (xdp-data)))
  XDP_PASS)

(deftest xdp
  (run-prog of-xdp (packet (eth) (payload 50)) :ctx (context :xdp :ingress-ifindex 1 :rx-queue-index 0))
  (is (equal (outs 3) '(1 0 64))))

(defprog of-tc (:type :tc)
  (setf (getmap out 0) (ctx mark)
        (getmap out 1) (ctx priority)
        (getmap out 2) (ctx len)
        (getmap out 3) (ntohs (cast u16 (ctx protocol))))
  (setf (ctx mark) 99)
  TC_ACT_OK)

(deftest tc
  (multiple-value-bind (verdict packet context)
      (run-prog of-tc (packet (eth) (ipv4) (udp) (payload 10)) :ctx (context :tc :mark 7 :priority 3))
    (is (= verdict TC_ACT_OK))
    (is (equalp packet (packet (eth) (ipv4) (udp) (payload 10))))
    (is (= (aref context 8) 99) "the mark afterwards")
    (is (equal (outs 4) (list 7 3 52 #x0800)))))

(defprog of-sk-lookup (:type :sk-lookup)
  (setf (getmap out 0) (ctx local_port)
        (getmap out 1) (ctx protocol)
        (getmap out 2) (ctx remote_ip4))
  (if (= (ctx local_port) 7) SK_DROP SK_PASS))

(deftest a-lookup-of-a-socket
  (is (= (run-prog of-sk-lookup nil :ctx (context :sk-lookup :family 2 :protocol 6 :local-port 80 :remote-ip4 (ip4 "192.0.2.1"))) SK_PASS))
  (is (equal (outs 3) (list 80 6 (ip4 "192.0.2.1"))))
  (is (= (run-prog of-sk-lookup nil :ctx (context :sk-lookup :family 2 :protocol 6 :local-port 7)) SK_DROP)))

(defprog of-raw (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (setf (getmap out 0) (ctx args 0)
        (getmap out 1) (ctx args 1))
  (ctx args 1))

(deftest a-raw-tracepoint
  (is (= (run-prog of-raw nil :ctx (context :raw-tracepoint 5 42)) 42))
  (is (equal (outs 2) '(5 42))))

(defmacro refused (form)
  "The message of the error that a form ends in."
  `(handler-case (progn ,form "no error") (error (e) (princ-to-string e))))

(deftest what-there-is-not
  (is (search "no field :ifindx" (refused (context :xdp :ifindx 1))))
  (is (search "no field :colour" (refused (build-packet (list (layer 'eth :colour 1))))))
  (is (search "does not fit into 16 bits" (refused (packet (eth) (ipv4) (tcp :dst-port 70000)))))
  (is (search "is no IPv4 address" (refused (packet (eth) (ipv4 :src "10.0.0")))))
  (is (search "no type of program" (refused (context :xpd))))
  (is (search "is a pointer that the run itself makes" (refused (context :xdp :data 1))))
  (is (search "does not fit" (refused (context :xdp :rx-queue-index (expt 2 40)))))
  (is (search "this is no packet capture" (refused (read-pcap "contexts.lisp"))))
  (is (search "no-such-file" (refused (read-pcap "no-such-file")))))

(deftest captures-both-ways
  (let ((all (list (packet (eth) (arp)) (packet (eth) (ipv4) (udp) (payload "x")))))
    (is (= (write-pcap "/dev/null" all) 2))
    (is (= (length (read-pcap "../data/lan.pcap")) 55))))

(defprog chatty (:type :xdp)
  (emit "%d bytes" (cast u32 (- (xdp-data-end) (xdp-data))))
  XDP_PASS)

(deftest lines-that-are-emitted
  (run-prog chatty (packet (eth) (payload 46)))
  (run-prog chatty (packet (eth) (payload 50)))
  (is (equal (emitted-lines) '("60 bytes" "64 bytes")))
  (is (null (emitted-lines))))

(deftest lines-of-another-test-are-gone
  (is (null (emitted-lines))))
