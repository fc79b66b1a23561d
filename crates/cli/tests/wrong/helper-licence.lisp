;; class: gpl
(defprog main (:type :kprobe :section "kprobe/vfs_read" :license "Proprietary")
  (get-current-task)
  0)
