;; class: lock
(defstruct account (lock bpf-spin-lock) (balance u64))
(defmap accounts :type :array :key u32 :value account :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((a (map-lookup accounts 1)))
    (spin-lock (account-lock-ptr a))
    (when (> (account-balance a) 5)
      (spin-unlock (account-lock-ptr a))))
  XDP_PASS)
