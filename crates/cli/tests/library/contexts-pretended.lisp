;;; Contexts of runs that the kernel can't make: another interface, another process, probes and records.
;;; only: vm the kernel has no test run for these

(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog of-xdp (:type :xdp)
  (setf (getmap out 0) (ctx ingress_ifindex)
        (getmap out 1) (ctx rx_queue_index)
        (getmap out 2) (- (xdp-data-end) (xdp-data)))
  XDP_PASS)

(deftest another-interface
  (run-prog of-xdp (packet (eth) (payload 50)) :ctx (context :xdp :ingress-ifindex 31 :rx-queue-index 3))
  (is (equal (outs 3) '(31 3 64))))

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

(defprog of-probe (:type :kprobe :section "kprobe/do_mmap")
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

(defprog of-process (:type :kprobe :section "kprobe/do_mmap")
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
