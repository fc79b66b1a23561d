;; class: lock
;; codes: E0506 E0506 E0506 E0506
(defstruct cell (lock bpf-spin-lock) (n u64))
(defmap cells :type :array :key u32 :value cell :max-entries 4)
(defmap other :type :hash :key u32 :value u64 :max-entries 4)
(defsubprog bump ((n u64)) u64 (if (> n (ktime-get-ns)) 1 2))
(defprog main (:type :xdp)
  (when-let ((c (map-lookup cells 0)))
    (with-spin-lock ((cell-lock-ptr c))
      (setf (cell-n c) (ktime-get-ns))
      (setf (getmap other 1) 5)
      (bump 3)
      (emit "held")))
  XDP_PASS)
