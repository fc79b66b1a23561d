;; class: arguments
(defprog p (:type :xdp) (bpf-loop 4 (incf x)) XDP_PASS)
