;;; Counts by DSCP, keeps a histogram of packet sizes and sets the priority from the DSCP class:
;;; the counterpart of tc_dscp_hist.bpf.c.

(defstruct class-stats (packets u64) (bytes u64) (ce u64))
(defmap classes :type :percpu-array :key u32 :value class-stats :max-entries 64)
(defmap sizes :type :percpu-array :key u32 :value u64 :max-entries 16)

(defprog tc_dscp_hist (:type :tc :section "tc" :license "GPL")
  (incf (getmap sizes (min (log2 (ctx len)) 15)))
  (with-tc-eth (data end)
    (let* ((ip (+ data +eth-hdr-len+))
           (tclass (case (eth-type data)
                     (#x0800 (if (<= (+ ip 20) end) (ipv4-tos ip) (return TC_ACT_OK)))
                     (#x86dd (if (<= (+ ip 40) end)
                                 (logand (>> (ntohs (load u16 ip 0)) 4) #xff)
                                 (return TC_ACT_OK)))
                     (t (return TC_ACT_OK))))
           (dscp (>> tclass 2)))
      (when-let ((c (map-lookup classes dscp)))
        (incf (class-stats-packets c))
        (incf (class-stats-bytes c) (ctx len))
        (when (= (logand tclass 3) 3)
          (incf (class-stats-ce c))))
      (setf (ctx priority) (>> dscp 3))))
  TC_ACT_OK)

(defun size-slots () (loop for i below 16 collect (reduce #'+ (map-ref sizes i))))

(defun class-of (dscp)
  "Packets, bytes and those with congestion experienced, over all CPUs."
  (let ((all (map 'list #'identity (map-ref classes dscp))))
    (list (reduce #'+ (mapcar #'class-stats-packets all))
          (reduce #'+ (mapcar #'class-stats-bytes all))
          (reduce #'+ (mapcar #'class-stats-ce all)))))

(defun no-class? () (loop for i below 64 always (equal (class-of i) '(0 0 0))))

(defun seen (p)
  "The priority that the packet gets, being let through as it is; -1 when it is not."
  (multiple-value-bind (verdict after context) (run-prog tc_dscp_hist p :ctx (context :tc :priority 77))
    (if (and (= verdict TC_ACT_OK) (equalp after p))
        (+ (aref context 32) (* 256 (aref context 33)))
        -1)))

(deftest by-dscp-of-ipv4
  (is (= (seen (packet (eth) (ipv4 :dscp 46) (udp) (payload 8))) 5))
  (is (= (seen (packet (eth) (ipv4 :dscp 46) (udp) (payload 58))) 5))
  (is (= (seen (packet (eth) (ipv4 :dscp 0) (tcp))) 0))
  (is (= (seen (packet (eth) (ipv4 :dscp 63) (tcp))) 7))
  (is (= (seen (packet (eth) (ipv4 :dscp 8) (tcp))) 1))
  (is (= (seen (packet (eth) (ipv4 :dscp 7) (tcp))) 0))
  (is (equal (class-of 46) '(2 150 0)))
  (is (equal (class-of 0) '(1 54 0)))
  (is (equal (class-of 63) '(1 54 0)))
  (is (equal (class-of 45) '(0 0 0))))

(deftest by-dscp-of-ipv6
  (is (= (seen (packet (eth) (ipv6 :traffic-class (* 4 46) :flow-label #xfffff) (udp))) 5))
  (is (= (seen (packet (eth) (ipv6 :traffic-class (* 4 63)) (udp))) 7))
  (is (= (seen (packet (eth) (ipv6 :flow-label #xfffff) (udp))) 0))
  (is (equal (class-of 46) '(1 62 0)))
  (is (equal (class-of 63) '(1 62 0)))
  (is (equal (class-of 0) '(1 62 0))))

(deftest congestion-experienced-is-counted
  (dotimes (ecn 4)
    (is (= (seen (packet (eth) (ipv4 :dscp 10 :ecn ecn) (udp) (payload 8))) 1))
    (is (= (seen (packet (eth) (ipv6 :traffic-class (+ 40 ecn)) (udp))) 1)))
  (is (equal (class-of 10) (list 8 (* 4 (+ 50 62)) 2))))

(deftest others-are-in-the-histogram-only
  (is (= (seen (packet (eth) (arp))) 77) "the priority stays")
  (is (= (seen (packet (eth) (vlan) (ipv4 :dscp 46) (udp))) 77))
  (is (= (seen (packet (eth) (payload 50))) 77))
  (is (no-class?))
  (is (= (reduce #'+ (size-slots)) 3)))

(deftest the-fixed-header-has-to-be-there
  (let ((v4 (packet (eth) (ipv4 :dscp 46) (udp)))
        (v6 (packet (eth) (ipv6 :traffic-class (* 4 46)) (udp))))
    (is (= (seen (subseq v4 0 33)) 77))
    (is (= (seen (subseq v6 0 53)) 77))
    (is (= (seen (subseq v6 0 34)) 77))
    (is (no-class?))
    (is (= (seen (subseq v4 0 34)) 5))
    (is (= (seen (subseq v6 0 54)) 5))
    (is (equal (class-of 46) (list 2 (+ 34 54) 0)))
    (is (= (reduce #'+ (size-slots)) 5))))

(deftest sizes-by-powers-of-two
  (dolist (n '(32 63 64 127 128 255 256 511 512 1023 1024 1500))
    (seen (packet (eth) (payload (- n 14)))))
  (is (equal (size-slots) '(0 0 0 0 0 2 2 2 2 2 2 0 0 0 0 0))))

;; More than the kernel's test run takes; a clock keeps the test out of it.
(deftest the-last-size-takes-the-rest
  (dolist (n '(32767 32768 65535 65536 140000))
    (is (= (run-prog tc_dscp_hist (packet (eth) (payload (- n 14))) :clock 0) TC_ACT_OK)))
  (is (equal (subseq (size-slots) 14) '(1 4))))
