;; class: unknown-name
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (if (= (-> (get-current-task) real_parent tgidd) 1) 1 0))
