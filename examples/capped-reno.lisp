;;; A TCP congestion control: Reno with a cap, so that no connection has more than so many segments under way.
;;; A connection takes it by setsockopt TCP_CONGESTION "capped_reno"; with sysctl net.ipv4.tcp_congestion_control all do.
;;;
;;;   whistler run examples/capped-reno.lisp
;;;   whistler compile examples/capped-reno.lisp -o capped-reno.bpf.o     (bpftool struct_ops register capped-reno.bpf.o)

(defconstant +cap+ 64)

;; Lies in the socket itself, in the kernel's room for a control's data.
(defstruct capped (acks u32) (losses u32))

(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 3)

(defprog begin (:type :struct-ops :section "struct_ops/init")
  (let ((c (inet-csk-ca (arg sk) capped)))
    (setf (capped-acks c) 0 (capped-losses c) 0))
  (incf (getmap stats 0)))

;; With every acknowledgement: twice as much in slow start, then one segment more for each window.
(defprog grow (:type :struct-ops :section "struct_ops/cong_avoid")
  (let ((tp (tcp-sk (arg sk)))
        (c (inet-csk-ca (arg sk) capped)))
    (incf (capped-acks c))
    (incf (getmap stats 1))
    (when (tcp-is-cwnd-limited (arg sk))
      (let ((window (-> tp snd_cwnd)))
        (cond ((tcp-in-slow-start tp)
               (incf window (arg acked)))
              (t
               (incf (-> tp snd_cwnd_cnt) (arg acked))
               (when (>= (-> tp snd_cwnd_cnt) window)
                 (setf (-> tp snd_cwnd_cnt) 0)
                 (incf window))))
        (setf (-> tp snd_cwnd) (cast u32 (min window +cap+)))))))

;; After a loss: half of it.
(defprog halve (:type :struct-ops :section "struct_ops/ssthresh")
  (let ((tp (tcp-sk (arg sk))))
    (incf (capped-losses (inet-csk-ca (arg sk) capped)))
    (incf (getmap stats 2))
    (max (>> (-> tp snd_cwnd) 1) 2)))

(defprog undo (:type :struct-ops :section "struct_ops/undo_cwnd")
  (let ((tp (tcp-sk (arg sk))))
    (max (-> tp snd_cwnd) (-> tp prior_cwnd))))

(defstruct-ops capped-reno (:type tcp_congestion_ops)
  (init begin)
  (cong-avoid grow)
  (ssthresh halve)
  (undo-cwnd undo)
  (name "capped_reno"))

(defun main ()
  (attach capped-reno)
  (format t "capped_reno is there; connections that take it, acknowledgements, losses:~%")
  (watch stats))

(defun socket (&rest fields) (apply #'kernel-object 'tcp_sock fields))
(defun stat (n) (reduce #'+ (map-ref stats n)))
(defun after-growing (sk acked)
  (run-prog grow nil :ctx (context :struct-ops sk 0 acked))
  (run-prog undo nil :ctx (context :struct-ops sk)))

(deftest slow-start-doubles-up-to-the-cap
  (let ((sk (socket :snd-cwnd 10 :snd-ssthresh 1000 :is-cwnd-limited 1)))
    (is (= (after-growing sk 10) 20))
    (is (= (after-growing sk 20) 40))
    (is (= (after-growing sk 40) 64) "no more than the cap")
    (is (= (stat 1) 3))))

(deftest then-one-segment-for-each-window
  (let ((sk (socket :snd-cwnd 10 :snd-ssthresh 5 :is-cwnd-limited 1)))
    (is (= (after-growing sk 4) 10))
    (is (= (after-growing sk 6) 11))))

(deftest what-does-not-fill-its-window-keeps-it
  (is (= (after-growing (socket :snd-cwnd 10 :snd-ssthresh 5) 10) 10)))

(deftest a-loss-halves-it
  (is (= (run-prog halve nil :ctx (context :struct-ops (socket :snd-cwnd 30))) 15))
  (is (= (run-prog halve nil :ctx (context :struct-ops (socket :snd-cwnd 1))) 2))
  (is (= (stat 2) 2)))
