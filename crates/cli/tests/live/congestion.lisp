;;; prints: registered t
;;; prints: another one of that name is refused: a `wh_live_cc` is registered already t
;;; prints: sockets took it t
;;; prints: it was called for acknowledgements t
;;; prints: it was called for losses t
;;; prints: its data in the socket counts t
;;; prints: storage beside the socket counts t
;;; prints: the window never passed the cap t
;;; prints: the program was exchanged under it t
;;; prints: the struct was exchanged under its link t
;;; prints: taken back 1 nil
;;; place: own
;;; beside: python3 -c "import socket, threading, time; exec('def read(l):\n a, _ = l.accept()\n while a.recv(65536): pass\nwhile True:\n l = socket.socket(); l.bind((\'127.0.0.1\', 0)); l.listen(1); c = socket.socket()\n try: c.setsockopt(6, 13, b\'wh_live_cc\')\n except OSError: time.sleep(0.02); continue\n t = threading.Thread(target=read, args=(l,)); t.start(); c.connect(l.getsockname())\n for i in range(64): c.sendall(bytes(65536))\n c.close(); t.join(); l.close()')"
;; A congestion control of our own, chosen by sockets that send over `lo`, where every 40th large packet is lost.
(defstruct control (acks u32) (losses u32))
(defmap seen :type :array :key u32 :value u64 :max-entries 16)
(defmap beside :type :sk-storage :key u32 :value u64 :map-flags BPF_F_NO_PREALLOC)

(defsubprog cap ((tp (ptr tcp_sock)) (most u32)) void
  (when (> (-> tp snd_cwnd) most)
    (setf (-> tp snd_cwnd) most)))

(defprog control-init (:type :struct-ops :section "struct_ops/init")
  (let ((c (inet-csk-ca (arg sk) control)))
    (setf (control-acks c) 0 (control-losses c) 0))
  (incf (getmap seen 0)))

;; Its section names no member: the struct below does.
(defprog control-avoid (:type :struct-ops)
  (let ((tp (tcp-sk (arg sk)))
        (c (inet-csk-ca (arg sk) control))
        (acked (arg acked)))
    (incf (getmap seen 1))
    (incf (control-acks c))
    (setf (getmap seen 3) (max (getmap seen 3) (control-acks c)))
    (when-let ((n (sk-storage-get beside (arg sk) 0 BPF_SK_STORAGE_GET_F_CREATE)))
      (incf (deref n))
      (setf (getmap seen 4) (max (getmap seen 4) (deref n))))
    (when (tcp-is-cwnd-limited (arg sk))
      (when (tcp-in-slow-start tp)
        (setf acked (tcp-slow-start tp acked)))
      (when (plusp acked)
        (tcp-cong-avoid-ai tp (-> tp snd_cwnd) acked)))
    (cap tp 50)
    (setf (getmap seen 5) (max (getmap seen 5) (-> tp snd_cwnd)))))

(defprog control-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (incf (getmap seen 2))
  (incf (control-losses (inet-csk-ca (arg sk) control)))
  (tcp-reno-ssthresh (arg sk)))

(defprog control-undo (:type :struct-ops :section "struct_ops/undo_cwnd")
  (tcp-reno-undo-cwnd (arg sk)))

(defstruct-ops control-ops (:type tcp_congestion_ops)
  (init control-init) (cong-avoid control-avoid) (ssthresh control-ssthresh) (undo-cwnd control-undo)
  (flags TCP_CONG_NON_RESTRICTED) (name "wh_live_cc"))

(defprog lose-some (:type :tc)
  (when (> (ctx len) 3000)
    (incf (getmap seen 15))
    (when (zerop (mod (getmap seen 15) 40))
      (return TC_ACT_SHOT)))
  TC_ACT_OK)

(defun available ()
  (with-open-file (f "/proc/sys/net/ipv4/tcp_available_congestion_control") (read-line f)))

(defun await (&rest counts)
  (dotimes (i 250)
    (when (every (lambda (n) (> (map-ref seen n) 2)) counts) (return t))
    (sleep 0.02)))

(attach lose-some "lo")
(defvar *link* (attach control-ops))
(format t "registered ~a~%" (and (search "wh_live_cc" (available)) t))
(format t "another one of that name is refused: a `wh_live_cc` is registered already ~a~%"
        (handler-case (progn (attach control-ops) nil)
          (bpf-error (e) (and (search "a `wh_live_cc` is registered already" (format nil "~a" e)) t))))
(await 0 1 2 3 4)
(format t "sockets took it ~a~%" (> (map-ref seen 0) 2))
(format t "it was called for acknowledgements ~a~%" (> (map-ref seen 1) 2))
(format t "it was called for losses ~a~%" (> (map-ref seen 2) 2))
(format t "its data in the socket counts ~a~%" (> (map-ref seen 3) 2))
(format t "storage beside the socket counts ~a~%" (> (map-ref seen 4) 2))
(format t "the window never passed the cap ~a~%" (<= 2 (map-ref seen 5) 50))

(defprog control-undo (:type :struct-ops :section "struct_ops/undo_cwnd")
  (incf (getmap seen 6))
  (-> (tcp-sk (arg sk)) snd_cwnd))
(defprog control-init (:type :struct-ops :section "struct_ops/init")
  (incf (getmap seen 7)))
(format t "the program was exchanged under it ~a~%" (and (await 7) (equal (length (links)) 2)))

(defprog watch-events (:type :struct-ops :section "struct_ops/cwnd_event")
  (when (and (<= (arg ev) 10) (zerop (tcp-send-ack (tcp-sk (arg sk)) (-> (tcp-sk (arg sk)) rcv_nxt))))
    (incf (getmap seen 8))))
(defstruct-ops control-ops (:type tcp_congestion_ops)
  (init control-init) (cong-avoid control-avoid) (ssthresh control-ssthresh) (undo-cwnd control-undo)
  (cwnd-event watch-events) (flags TCP_CONG_NON_RESTRICTED) (name "wh_live_cc"))
(format t "the struct was exchanged under its link ~a~%" (await 8))
(format t "taken back ~a ~a~%" (detach *link*) (and (search "wh_live_cc" (available)) t))
