;;; prints: sock t
;;; prints: sock-addr t
;;; prints: sock-ops t
;;; prints: device t
;;; prints: sysctl t
;;; prints: sockopt t
;;; prints: perf-event t
;;; place: own
;;; beside: python3 -c "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 7007)); s.listen(99); exec('while True: c = socket.create_connection((\'127.0.0.1\', 7007)); c.getsockopt(6, 1); c.close(); open(\'/dev/null\').close(); open(\'/proc/sys/kernel/ostype\').read(); time.sleep(0.01)')"
;; Programs of cgroups, each at work on what a process of the cgroup does; and one that samples.
(defmap seen :type :array :key u32 :value u64 :max-entries 8)

(defprog of-sock (:type :cgroup-sock :section "cgroup/sock_create")
  (when (and (= (ctx family) 2) (= (ctx type) 1)) (incf (getmap seen 0)))
  1)

(defprog of-sock-addr (:type :cgroup-sock-addr :section "cgroup/connect4")
  (when (and (= (ctx user_ip4) (htonl #x7f000001)) (= (ctx user_port) (htons 7007))) (incf (getmap seen 1)))
  1)

(defprog of-sock-ops (:type :sock-ops)
  (when (and (= (ctx op) BPF_SOCK_OPS_TCP_CONNECT_CB) (= (ctx remote_port) (htonl 7007))) (incf (getmap seen 2)))
  1)

(defprog of-device (:type :cgroup-device)
  (when (and (= (ctx major) 1) (= (ctx minor) 3)) (incf (getmap seen 3)))
  1)

(defprog of-sysctl (:type :cgroup-sysctl)
  (let ((name (array char 16)))
    (when (and (= (ctx write) 0) (= (sysctl-get-name name 16 0) 13) (= (memcmp name "kernel/ostype" 13) 0))
      (incf (getmap seen 4))))
  1)

(defprog of-sockopt (:type :cgroup-sockopt :section "cgroup/getsockopt")
  (when (and (= (ctx level) 6) (= (ctx optname) 1)) (incf (getmap seen 5)))
  1)

(defprog of-perf-event (:type :perf-event)
  (when (> (ctx sample_period) 0) (incf (getmap seen 6)))
  0)

(dolist (p '(of-sock of-sock-addr of-sock-ops of-device of-sysctl of-sockopt))
  (attach p (posix-getenv "TEST_CGROUP")))
(attach of-perf-event :frequency 500)
(dotimes (i 200)
  (when (every #'plusp (loop for i from 0 to 6 collect (map-ref seen i))) (return))
  (sleep 0.02))

(loop for name in '("sock" "sock-addr" "sock-ops" "device" "sysctl" "sockopt" "perf-event")
      for i from 0
      do (format t "~a ~a~%" name (plusp (map-ref seen i))))
