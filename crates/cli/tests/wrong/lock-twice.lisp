;; class: lock
;; codes: E0506
(defstruct account (lock bpf-spin-lock) (balance u64))
(defmap accounts :type :array :key u32 :value account :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((a (map-lookup accounts 1)) (b (map-lookup accounts 2)))
    (with-spin-lock ((account-lock-ptr a))
      (with-spin-lock ((account-lock-ptr b))
        (incf (account-balance a) (account-balance b)))))
  XDP_PASS)
