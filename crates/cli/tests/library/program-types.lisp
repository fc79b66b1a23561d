;;; Programs of the types that a test run of the kernel takes, beyond those that the other files are full of.

(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog of-action (:type :action)
  (setf (getmap out 0) (ctx len))
  (if (= (ctx mark) 7) TC_ACT_SHOT TC_ACT_OK))

(deftest action
  (is (= (run-prog of-action (packet (eth) (ipv4) (udp) (payload 10)) :ctx (context :action :mark 7)) TC_ACT_SHOT))
  (is (= (run-prog of-action (packet (eth) (ipv4) (udp) (payload 10))) TC_ACT_OK))
  (is (equal (outs 1) '(52))))

(defprog of-lwt-in (:type :lwt-in) (setf (getmap out 0) (ctx len)) 0)
(defprog of-lwt-out (:type :lwt-out) (setf (getmap out 1) (ctx len)) 0)
(defprog of-lwt-xmit (:type :lwt-xmit) (setf (getmap out 2) (ctx len)) 0)

(deftest routes
  (let ((p (packet (eth) (ipv4) (udp) (payload 10))))
    (is (= (run-prog of-lwt-in p) 0))
    (is (= (run-prog of-lwt-out p) 0))
    (is (= (run-prog of-lwt-xmit p) 0))
    (is (every (lambda (n) (= n (first (outs 1)))) (outs 3)))))

(defprog of-socket-filter (:type :socket-filter)
  (setf (getmap out 0) (ctx len))
  14)

(deftest socket-filter
  (is (= (run-prog of-socket-filter (packet (eth) (ipv4) (udp) (payload 10))) 14)))

(defprog of-cgroup-skb (:type :cgroup-skb :section "cgroup_skb/egress")
  (if (= (ctx protocol) (htons #x0800)) 1 0))

(deftest cgroup-skb
  (is (= (run-prog of-cgroup-skb (packet (eth) (ipv4) (udp) (payload 10))) 1))
  (is (= (run-prog of-cgroup-skb (packet (eth) (arp))) 0)))

(defprog of-syscall (:type :syscall)
  (setf (getmap out 0) 77)
  5)

(deftest syscall
  (is (= (run-prog of-syscall) 5))
  (is (= (map-ref out 0) 77)))

(defprog of-flow-dissector (:type :flow-dissector)
  (setf (getmap out 0) (- (packet-data-end) (packet-data)))
  BPF_OK)

(deftest flow-dissector
  (is (= (run-prog of-flow-dissector (packet (eth) (ipv4) (udp) (payload 10))) BPF_OK))
  (is (= (map-ref out 0) 52)))
