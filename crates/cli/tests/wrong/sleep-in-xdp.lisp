;; class: sleep
(defprog main (:type :xdp)
  (let ((x u64 0))
    (if (= (copy-from-user (stack-addr x) 8 (cast (ptr u64) 4096)) 0) XDP_DROP XDP_PASS)))
