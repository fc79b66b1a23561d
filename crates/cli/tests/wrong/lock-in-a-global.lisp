;; class: lock
(defstruct account (lock bpf-spin-lock) (n u32))
(defglobal own account)
(defprog main (:type :xdp)
  (with-spin-lock ((account-lock-ptr own))
    (incf (account-n own)))
  XDP_PASS)
