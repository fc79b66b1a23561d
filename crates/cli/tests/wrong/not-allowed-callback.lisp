;; class: not-allowed
;; flags: --target 5.10
(defprog main (:type :xdp)
  (bpf-loop 5 (lambda (i) 0))
  XDP_PASS)
