;; class: other
(defprog main (:type :xdp :section "kprobe/vfs_read")
  0)
