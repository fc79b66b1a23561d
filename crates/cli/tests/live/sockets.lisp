;;; prints: kept in the map t
;;; prints: kept in the hash t
;;; prints: another port leads to it t
;;; place: own
;;; beside: python3 -c "import socket, time; exec('while True:\n s = socket.socket(); s.setsockopt(1, 2, 1); s.bind((\'127.0.0.1\', 7007)); s.listen(9); c = socket.socket(); r = c.connect_ex((\'127.0.0.1\', 9999)); c.close(); s.close(); time.sleep(0.02)')"
;; Sockets in maps: a listening socket is put in when it begins to listen, and connections to another port are given to it.
(defmap sockets :type :sockmap :key u32 :value u64 :max-entries 4)
(defmap by-port :type :sockhash :key u32 :value u64 :max-entries 4)
(defmap seen :type :array :key u32 :value u64 :max-entries 4)

(defprog keep (:type :sock-ops)
  (when (and (= (ctx op) BPF_SOCK_OPS_TCP_LISTEN_CB) (= (ctx local_port) 7007))
    (let ((slot u32 1) (port u32 7007))
      (when (= (sock-map-update sockets (stack-addr slot) BPF_ANY) 0) (incf (getmap seen 0)))
      (when (= (sock-hash-update by-port (stack-addr port) BPF_ANY) 0) (incf (getmap seen 1)))))
  1)

(defprog lead (:type :sk-lookup)
  (when (= (ctx local_port) 9999)
    (when-let ((s (map-lookup sockets 1)))
      (when (= (sk-assign s 0) 0) (incf (getmap seen 2)))
      (sk-release s)))
  SK_PASS)

(attach keep (posix-getenv "TEST_CGROUP"))
(attach lead)
(dotimes (i 200)
  (when (every #'plusp (loop for i from 0 to 2 collect (map-ref seen i))) (return))
  (sleep 0.02))
(format t "kept in the map ~a~%" (plusp (map-ref seen 0)))
(format t "kept in the hash ~a~%" (plusp (map-ref seen 1)))
(format t "another port leads to it ~a~%" (plusp (map-ref seen 2)))
