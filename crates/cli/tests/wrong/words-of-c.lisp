;; class: unknown-name
;; codes: E0001 E0001 E0001 E0001 E0004 E0001
(import-kernel-struct bpf_sock_tuple)
(defprog main (:type :xdp)
  (with-ipv4 (data end ip)
    (when (= (ipv4-protocol ip) 'udp) (return XDP_DROP))
    (when (= (ipv4-total-len ip) 0x0800) (return XDP_DROP))
    (when (ipv4-ttl ip) < 5 (return XDP_DROP)))
  (let ((tuple (make-bpf_sock_tuple)))
    (printk "~d ~a~%" tuple comm))
  (when (= comm 1) (return XDP_DROP))
  XDP_PASS)
