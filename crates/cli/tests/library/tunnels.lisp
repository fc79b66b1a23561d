;;; Tunnels: the outer header, and the packet inside.

(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defprog inside (:type :xdp)
  (with-vxlan (data end vx)
    (setf (getmap out 0) (vxlan-vni vx) (getmap out 1) (vxlan-flags vx))
    (with-tcp (inner e2 tcp :at (vxlan-payload vx))
      (setf (getmap out 2) (tcp-dst-port tcp))
      (setf (getmap out 7) 10)
      (return XDP_DROP)))
  (with-geneve (data end g)
    (setf (getmap out 0) (geneve-vni g) (getmap out 1) (geneve-protocol g) (getmap out 3) (geneve-opt-len g)
          (getmap out 4) (geneve-critical g) (getmap out 5) (geneve-version g) (getmap out 6) (geneve-oam g))
    (with-tcp (inner e2 tcp :at (geneve-payload g) :options t)
      (setf (getmap out 2) (tcp-dst-port tcp))
      (setf (getmap out 7) 11)
      (return XDP_DROP)))
  (with-gre (data end gre :options t)
    (setf (getmap out 0) (gre-protocol gre) (getmap out 1) (gre-length gre) (getmap out 3) (gre-key-present gre)
          (getmap out 4) (gre-version gre))
    (if (= (gre-protocol gre) +ethertype-teb+)
        (with-tcp (inner e2 tcp :at (gre-payload gre))
          (setf (getmap out 2) (tcp-dst-port tcp))
          (setf (getmap out 7) 13)
      (return XDP_DROP))
        (with-tcp (inner e2 tcp :at (gre-payload gre) :from :ip :options t)
          (setf (getmap out 2) (tcp-dst-port tcp))
          (setf (getmap out 7) 12)
      (return XDP_DROP))))
  XDP_PASS)

(defun inner (pkt)
  "Which of the inner packets was found, 0 for none."
  (map-clear out)
  (run-prog inside pkt)
  (map-ref out 7))

(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(deftest vxlan-inside
  (is (= (inner (packet (eth) (ipv4) (udp) (vxlan :vni 5000) (eth) (ipv4) (tcp :dst-port 22))) 10))
  (is (equal (outs 3) '(5000 8 22))))

(deftest geneve-inside
  (is (= (inner (packet (eth) (ipv4) (udp) (geneve :vni 77 :critical t :options 12) (eth) (vlan) (ipv6) (tcp :dst-port 23))) 11))
  (is (equal (outs 7) (list 77 #x6558 23 3 1 0 0))))

(deftest gre-inside
  (is (= (inner (packet (eth) (ipv4) (gre) (ipv4) (tcp :dst-port 24))) 12))
  (is (equal (outs 4) (list #x0800 4 24 0)))
  (is (= (inner (packet (eth) (ipv4) (gre :key 9 :sequence 1 :checksum t) (ipv6) (tcp :dst-port 25))) 12))
  (is (equal (outs 4) (list #x86dd 16 25 1)))
  (is (= (inner (packet (eth) (ipv6) (dest-opts) (gre) (eth) (ipv4) (tcp :dst-port 26))) 13)))

(deftest what-is-cut-off-passes
  (let ((whole (packet (eth) (ipv4) (udp) (vxlan) (eth) (ipv4) (tcp))))
    (loop for n from 14 below (length whole) by 3
          do (is (= (run-prog inside (subseq whole 0 n)) XDP_PASS))))
  (let ((whole (packet (eth) (ipv4) (gre :key 1) (ipv4) (tcp))))
    (loop for n from 14 below (length whole) by 3
          do (is (= (run-prog inside (subseq whole 0 n)) XDP_PASS)))))

(defprog retag (:type :tc)
  (with-tc-vxlan (data end vx)
    (setf (vxlan-vni vx) (+ (vxlan-vni vx) 1)))
  TC_ACT_OK)

(deftest a-vni-is-a-place
  (multiple-value-bind (verdict after) (run-prog retag (packet (eth) (ipv4) (udp) (vxlan :vni #xfffffe) (eth) (ipv4) (tcp)))
    (is (= verdict TC_ACT_OK))
    (is (= (packet-field after :vxlan :vni) #xffffff))
    (is (= (packet-field after :vxlan :reserved2) 0))))

(defprog from-ip (:type :cgroup-skb :section "cgroup_skb/ingress")
  (with-tcp (data end tcp)
    (when (= (tcp-dst-port tcp) 22) (return 0)))
  (with-udp (data end udp :options t)
    (when (= (udp-dst-port udp) 53) (return 0)))
  1)

(deftest programs-that-see-packets-from-ip
  (is (= (run-prog from-ip (packet (eth) (ipv4) (tcp :dst-port 22))) 0))
  (is (= (run-prog from-ip (packet (eth) (ipv4) (tcp :dst-port 23) (payload 30))) 1))
  (is (= (run-prog from-ip (packet (eth) (ipv6) (dest-opts) (udp :dst-port 53) (payload 30))) 0)))
