;; class: not-allowed
(defstruct cell (n u64) (timer bpf-timer))
(defmap cells :type :array :key u32 :value cell :max-entries 2)
(defprog p (:type :kprobe :section "kprobe/vfs_read")
  (when-let ((c (map-lookup cells 0)))
    (timer-init (cell-timer-ptr c) cells))
  0)
