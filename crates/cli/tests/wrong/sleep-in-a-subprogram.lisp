;; class: sleep
(defsubprog fetch ((address u64)) u64
  (let ((x u64 0))
    (if (= (copy-from-user (stack-addr x) 8 (cast (ptr u64) address)) 0) x 0)))
(defprog main (:type :kprobe :section "uprobe/libc.so.6:malloc")
  (if (= (fetch (pt-regs-parm1)) 1) 1 0))
