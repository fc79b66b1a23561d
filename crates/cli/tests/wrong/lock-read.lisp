;; class: lock
;; codes: E0506 E0506
(defstruct account (lock bpf-spin-lock) (n u32))
(defmap accounts :type :hash :key u32 :value account :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((a (map-lookup accounts 1)))
    (when (/= (load u32 a 0) 0) (return XDP_DROP))
    (setf (getmap accounts 2) a))
  XDP_PASS)
