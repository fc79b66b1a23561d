;; class: return-range
(defprog main (:type :fentry :section "fentry/vfs_read")
  1)
