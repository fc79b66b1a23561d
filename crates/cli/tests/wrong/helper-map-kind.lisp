;; class: arguments
;; codes: E0003 E0003 E0003
(defmap flows :type :hash :key u32 :value u64 :max-entries 4)
(defstruct cell (lock bpf-spin-lock) (n u32))
(defprog main (:type :xdp)
  (let ((on-stack (make-cell)) (n u32 0))
    (spin-lock (cell-lock-ptr on-stack))
    (spin-lock (stack-addr n))
    (dynptr-read (stack-addr n) 4 (stack-addr n) 0))
  XDP_PASS)
