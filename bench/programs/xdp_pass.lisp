;;; Lets every packet through: the counterpart of xdp_pass.bpf.c.

(defprog xdp_pass (:type :xdp :section "xdp" :license "GPL")
  XDP_PASS)
