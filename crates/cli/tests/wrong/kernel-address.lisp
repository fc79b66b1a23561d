;; class: other
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (if (load u32 (pt-regs-parm1) 0) 1 0))
