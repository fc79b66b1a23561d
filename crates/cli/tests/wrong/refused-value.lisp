;; class: arguments
;; Nothing more is said of `k`, whose value was refused.
(defstruct pair (src u32) (dst u32))
(defmap flows :type :hash :key pair :value u64 :max-entries 64)
(defprog main (:type :xdp)
  (let ((k (make-pair 1 2)))
    (incf (getmap flows k))
    (when (= (pair-src k) 3) (return XDP_DROP)))
  XDP_PASS)
