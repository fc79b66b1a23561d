;;; Drops TCP packets to one port, at the network driver, and counts them.
;;;
;;;   whistler run examples/port-block.lisp eth0   block on that interface until Ctrl-C
;;;   whistler compile examples/port-block.lisp    an object for bpftool, libbpf, aya, …

(defconstant +blocked-port+ 9999)

(defmap drop-count :type :array :key u32 :value u64 :max-entries 1)

(defprog drop-port (:type :xdp :section "xdp" :license "GPL")
  (with-tcp (data data-end tcp)
    (when (= (tcp-dst-port tcp) +blocked-port+)
      (incf (getmap drop-count 0))
      (return XDP_DROP)))
  XDP_PASS)

(defun main (interface)
  (attach drop-port interface)
  (format t "dropping TCP packets to port ~d on ~a~%" +blocked-port+ interface)
  (watch drop-count))

(deftest drops-the-blocked-port
  (is (= (run-prog drop-port (packet (eth) (ipv4) (tcp :dst-port +blocked-port+ :syn t))) XDP_DROP))
  (is (= (map-ref drop-count 0) 1)))

(deftest lets-everything-else-pass
  (dolist (pkt (list (packet (eth) (ipv4) (tcp :dst-port 80 :src-port +blocked-port+))
                     (packet (eth) (ipv4) (udp :dst-port +blocked-port+) (payload 20))
                     (packet (eth) (ipv6) (tcp :dst-port +blocked-port+))
                     (packet (eth) (arp))))
    (is (= (run-prog drop-port pkt) XDP_PASS)))
  (is (= (map-ref drop-count 0) 0)))
