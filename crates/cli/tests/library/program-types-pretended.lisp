;;; Programs of the types that no test run of the kernel takes: attaching is what runs them there.
;;; only: vm the kernel has no test run for these

(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog of-writable (:type :raw-tracepoint-writable :section "raw_tp.w/sys_enter")
  (ctx args 1))

(deftest raw-tracepoint-writable
  (is (= (run-prog of-writable nil :ctx (context :raw-tracepoint-writable 5 42)) 42)))

(defprog of-seg6local (:type :lwt-seg6local)
  (setf (getmap out 0) (ctx len))
  0)

(deftest lwt-seg6local
  (is (= (run-prog of-seg6local (packet (eth) (ipv4) (udp) (payload 10))) 0))
  (is (plusp (map-ref out 0))))

(defprog of-cgroup-sock (:type :cgroup-sock :section "cgroup/sock_create")
  (if (and (= (ctx family) 2) (= (ctx protocol) 17)) 0 1))

(deftest cgroup-sock
  (is (= (run-prog of-cgroup-sock nil :ctx (context :cgroup-sock :family 2 :protocol 17)) 0))
  (is (= (run-prog of-cgroup-sock nil :ctx (context :cgroup-sock :family 2 :protocol 6)) 1)))

(defprog of-sock-ops (:type :sock-ops)
  (setf (getmap out 0) (ctx op) (getmap out 1) (ctx local_port))
  1)

(deftest sock-ops
  (is (= (run-prog of-sock-ops nil :ctx (context :sock-ops :op 3 :local-port 443)) 1))
  (is (equal (outs 2) '(3 443))))

(defprog of-cgroup-device (:type :cgroup-device)
  (if (and (= (ctx major) 1) (= (ctx minor) 3)) 1 0))

(deftest cgroup-device
  (is (= (run-prog of-cgroup-device nil :ctx (context :cgroup-device :major 1 :minor 3)) 1))
  (is (= (run-prog of-cgroup-device nil :ctx (context :cgroup-device :major 8 :minor 0)) 0)))

(defprog of-cgroup-sysctl (:type :cgroup-sysctl)
  (if (= (ctx write) 1) 0 1))

(deftest cgroup-sysctl
  (is (= (run-prog of-cgroup-sysctl nil :ctx (context :cgroup-sysctl :write 1)) 0))
  (is (= (run-prog of-cgroup-sysctl nil :ctx (context :cgroup-sysctl :write 0)) 1)))

(defprog of-cgroup-sockopt (:type :cgroup-sockopt :section "cgroup/getsockopt")
  (setf (getmap out 0) (ctx level) (getmap out 1) (ctx optname))
  1)

(deftest cgroup-sockopt
  (is (= (run-prog of-cgroup-sockopt nil :ctx (context :cgroup-sockopt :level 6 :optname 13)) 1))
  (is (equal (outs 2) '(6 13))))

(defprog of-perf-event (:type :perf-event)
  (setf (getmap out 0) (ctx sample_period))
  0)

(deftest perf-event
  (is (= (run-prog of-perf-event nil :ctx (context :perf-event :sample-period 4000)) 0))
  (is (= (map-ref out 0) 4000)))

(defprog of-sk-msg (:type :sk-msg)
  (setf (getmap out 0) (ctx size))
  SK_PASS)

(deftest sk-msg
  (is (= (run-prog of-sk-msg (packet (eth) (ipv4) (udp) (payload 10))) SK_PASS)))

(defprog of-sk-skb (:type :sk-skb :section "sk_skb/stream_verdict")
  (setf (getmap out 0) (ctx len))
  SK_PASS)

(deftest sk-skb
  (is (= (run-prog of-sk-skb (packet (eth) (ipv4) (udp) (payload 10))) SK_PASS))
  (is (plusp (map-ref out 0))))

(defprog of-sk-reuseport (:type :sk-reuseport)
  (setf (getmap out 0) (ctx ip_protocol))
  SK_PASS)

(deftest sk-reuseport
  (is (= (run-prog of-sk-reuseport nil :ctx (context :sk-reuseport :ip-protocol 17)) SK_PASS))
  (is (= (map-ref out 0) 17)))
