;; class: arguments
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (get-current-comm 5 16)
  0)
