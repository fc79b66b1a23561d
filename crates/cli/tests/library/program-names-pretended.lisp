;;; Types of programs by the other names they go by, where no test run of the kernel takes them.
;;; only: vm the kernel has no test run for these
;;; target: 6.18/v4

(defprog of-xdp-devmap (:type :xdp-devmap) XDP_DROP)
(defprog of-xdp-cpumap (:type :xdp-cpumap) XDP_TX)
(defprog of-sockops (:type :sockops) 1)
(defprog of-cgroup-dev (:type :cgroup-dev) 1)
(defprog of-parser (:type :sk-skb-stream-parser) 3)
(defprog of-stream-verdict (:type :sk-skb-stream-verdict) 4)
(defprog of-verdict (:type :sk-skb-verdict) 5)
(defprog of-tp (:type :tp :section "tp/sched/sched_switch") 6)

(defprog of-kretprobe (:type :kretprobe :section "kretprobe/do_nanosleep") 7)
(defprog of-uretprobe (:type :uretprobe :section "uretprobe/f") 8)
(defprog of-kprobe-multi (:type :kprobe-multi :section "kprobe.multi/do_nanosleep") 9)
(defprog of-kretprobe-multi (:type :kretprobe-multi :section "kretprobe.multi/do_nanosleep") 10)
(defprog of-kprobe-session (:type :kprobe-session :section "kprobe.session/do_nanosleep") 0)
(defprog of-uprobe-multi (:type :uprobe-multi :section "uprobe.multi/libc.so.6:malloc") 11)
(defprog of-uretprobe-multi (:type :uretprobe-multi :section "uretprobe.multi/libc.so.6:malloc") 12)
(defprog of-uprobe-session (:type :uprobe-session :section "uprobe.session/libc.so.6:malloc") 0)
(defprog of-ksyscall (:type :ksyscall :section "ksyscall/nanosleep") 13)
(defprog of-kretsyscall (:type :kretsyscall :section "kretsyscall/nanosleep") 14)
(defprog of-usdt (:type :usdt :section "usdt/libc.so.6:libc:memory_heap_new") 15)

(deftest behind-a-redirection
  (let ((p (packet (eth) (ipv4) (udp) (payload 10))))
    (is (= (run-prog of-xdp-devmap p) XDP_DROP))
    (is (= (run-prog of-xdp-cpumap p) XDP_TX))))

(deftest streams
  (let ((p (packet (eth) (ipv4) (udp) (payload 10))))
    (is (equal (mapcar (lambda (prog) (run-prog prog p)) '(of-parser of-stream-verdict of-verdict)) '(3 4 5)))))

(deftest cgroups
  (is (= (run-prog of-sockops nil :ctx (context :sock-ops :op 1)) 1))
  (is (= (run-prog of-cgroup-dev nil :ctx (context :cgroup-device :major 1)) 1)))

(deftest probes
  (is (= (run-prog of-tp nil :ctx (context :tracepoint "sched/sched_switch")) 6))
  (is (equal (mapcar (lambda (prog) (run-prog prog nil :ctx (context :kprobe :parm1 1)))
                     '(of-kretprobe of-uretprobe of-kprobe-multi of-kretprobe-multi of-kprobe-session of-uprobe-multi
                       of-uretprobe-multi of-uprobe-session of-ksyscall of-kretsyscall of-usdt))
             '(7 8 9 10 0 11 12 0 13 14 15))))
