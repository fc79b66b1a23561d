;;; Types of programs by the other names they go by: sections of libbpf, attach points.
;;; target: 6.18/v4

(defprog of-sched-cls (:type :sched-cls) 1)
(defprog of-classifier (:type :classifier) 2)
(defprog of-sched-act (:type :sched-act) 3)
(defprog of-tcx-ingress (:type :tcx-ingress) 4)
(defprog of-tcx-egress (:type :tcx-egress) 5)
(defprog of-netkit-primary (:type :netkit-primary) 6)
(defprog of-netkit-peer (:type :netkit-peer) 7)
(defprog of-socket (:type :socket) 8)
(defprog of-raw-tp (:type :raw-tp :section "raw_tp/sys_enter") (ctx args 0))

(deftest other-names
  (let ((p (packet (eth) (ipv4) (udp) (payload 10))))
    (is (equal (mapcar (lambda (prog) (run-prog prog p))
                       '(of-sched-cls of-classifier of-sched-act of-tcx-ingress of-tcx-egress of-netkit-primary
                         of-netkit-peer of-socket))
               '(1 2 3 4 5 6 7 8)))
    (is (= (run-prog of-raw-tp nil :ctx (context :raw-tp 5 42)) 5))))
