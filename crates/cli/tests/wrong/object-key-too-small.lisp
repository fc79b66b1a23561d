;; class: object-bounds
(defmap names :type :hash :key-size 16 :value-size 8 :max-entries 8)
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((key u64 1) (value u64 0))
    (map-update-ptr names (stack-addr key) (stack-addr value) 0))
  0)
