;; class: lock
(defstruct account (lock bpf-spin-lock) (stamp u64))
(defmap accounts :type :array :key u32 :value account :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((a (map-lookup accounts 1)))
    (with-spin-lock ((account-lock-ptr a))
      (setf (account-stamp a) (ktime-get-ns))))
  XDP_PASS)
