;; class: unknown-name
;; The name that may be meant is spelled as the writer spells.
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (if (= (get_current_pid_tgidd) 0) 1 0))
