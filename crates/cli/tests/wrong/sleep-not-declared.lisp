;; class: sleep
(defprog main (:type :lsm :section "lsm/file_open")
  (let ((x u64 0))
    (if (= (copy-from-user (stack-addr x) 8 (cast (ptr u64) 4096)) 0) 0 -1)))
