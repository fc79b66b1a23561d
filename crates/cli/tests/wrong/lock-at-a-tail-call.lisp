;; class: lock
(defmap progs :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defstruct cell (lock bpf-spin-lock) (n u64))
(defmap cells :type :array :key u32 :value cell :max-entries 1)
(defprog holds (:type :xdp)
  (when-let ((c (map-lookup cells 0)))
    (with-spin-lock ((cell-lock-ptr c))
      (tail-call progs 2)))
  XDP_PASS)
