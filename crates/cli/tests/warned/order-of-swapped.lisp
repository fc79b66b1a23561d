;; codes: W0116 W0116 W0116 W0116 W0116
(defprog low-ports (:type :cgroup-sock-addr :section "cgroup/connect4")
  (when (< (ctx user_port) (htons 1024)) (return 0))
  (let ((port (ctx user_port)))
    (when (<= (htons 8000) port (htons 8999)) (return 0)))
  (when (< (ctx user_port) 1024) (return 0))
  ;; These are right.
  (when (> (ctx user_port) 0) (return 0))
  (when (< (ntohs (ctx user_port)) 1024) (return 0))
  (when (= (ctx user_port) (htons 1024)) (return 0))
  1)
(defprog addresses (:type :xdp)
  (with-ipv4 (data end ip)
    (when (>= (ipv4-src-addr ip) (ip4 "10.0.0.0")) (return XDP_DROP))
    (when (>= (ntohl (ipv4-src-addr ip)) (ntohl (ip4 "10.0.0.0"))) (return XDP_DROP))
    ;; Either order of the two will do.
    (when (< (ipv4-src-addr ip) (ipv4-dst-addr ip)) (return XDP_DROP)))
  XDP_PASS)
