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

(deftest another-interface
  (run-prog of-xdp (packet (eth) (payload 50)) :ctx (context :xdp :ingress-ifindex 31 :rx-queue-index 3))
  (is (equal (outs 3) '(31 3 64))))

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

(defprog of-sock-addr (:type :cgroup-sock-addr :section "cgroup/connect4")
  (when (and (= (ctx user_ip4) (ip4 "192.0.2.1")) (= (ctx user_port) (htons 80)))
    (setf (ctx user_ip4) (ip4 "10.0.0.9")))
  1)

(deftest a-connection-goes-elsewhere
  (multiple-value-bind (verdict packet context)
      (run-prog of-sock-addr nil :ctx (context :cgroup-sock-addr :user-ip4 (ip4 "192.0.2.1") :user-port #x5000))
    (is (= verdict 1))
    (is (null packet))
    (is (equal (coerce (subseq context 4 8) 'list) '(10 0 0 9)))))

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

(defprog of-probe (:type :kprobe :section "kprobe/do_nanosleep")
  (setf (getmap out 0) (pt-regs-parm1)
        (getmap out 1) (pt-regs-parm2)
        (getmap out 2) (pt-regs-parm6)
        (getmap out 3) (pt-regs-ret)
        (getmap out 4) (pt-regs-ip)
        (getmap out 5) (pt-regs-sp))
  0)

(deftest registers
  (run-prog of-probe nil :ctx (context :kprobe :parm1 1 :parm2 -2 :parm6 6 :ret 7 :ip #xffffffff81000000 :sp 9))
  (is (equal (outs 6) (list 1 (- (expt 2 64) 2) 6 7 #xffffffff81000000 9))))

(deftracepoint sched/sched_switch prev_comm prev_pid next_pid)

(defprog of-switch (:type :tracepoint :section "tracepoint/sched/sched_switch")
  (setf (getmap out 0) (tp-prev-pid)
        (getmap out 1) (tp-next-pid)
        (getmap out 2) (load u8 (tp-prev-comm-ptr)))
  0)

(deftest a-record
  (run-prog of-switch nil :ctx (context :tracepoint "sched/sched_switch" :prev-comm "xeyes" :prev-pid 10 :next-pid 20))
  (is (equal (outs 3) (list 10 20 (char-code #\x)))))

(defprog of-process (:type :kprobe :section "kprobe/do_nanosleep")
  (setf (getmap out 0) (ash (get-current-pid-tgid) -32)
        (getmap out 1) (cast u32 (get-current-pid-tgid))
        (getmap out 2) (cast u32 (get-current-uid-gid))
        (getmap out 3) (ktime-get-ns)
        (getmap out 4) (user-load u32 (pt-regs-parm1)))
  0)

(deftest a-process-and-its-memory
  (run-prog of-process nil :ctx (context :kprobe :parm1 #x7f0000001000)
            :tgid 100 :pid 101 :uid 1000 :clock 5000 :user (list (cons #x7f0000001000 '(1 2 0 0))))
  (is (equal (subseq (outs 5) 0 3) '(100 101 1000)))
  (is (>= (map-ref out 3) 5000))
  (is (= (map-ref out 4) #x201)))

(deftest the-next-run-is-its-own-process-again
  (run-prog of-process nil :ctx (context :kprobe))
  (is (/= (map-ref out 0) 100)))

(defmacro refused (form)
  "The message of the error that a form ends in."
  `(handler-case (progn ,form "no error") (error (e) (princ-to-string e))))

(deftest what-there-is-not
  (is (search "no field :ifindx" (refused (context :xdp :ifindx 1))))
  (is (search "no field :colour" (refused (packet (eth :colour 1)))))
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
