;; class: lock
(defstruct account (lock bpf-spin-lock) (n u32))
(defmap accounts :type :hash :key u32 :value account :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (when-let ((a (map-lookup accounts 1)))
    (with-spin-lock ((account-lock-ptr a))
      (incf (account-n a))))
  0)
