;; class: unknown-name
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (get-curent-pid-tgid)
  0)
