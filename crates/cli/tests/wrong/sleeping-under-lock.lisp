;; class: sleep
;; flags: --target 6.18
(defstruct buffer (bytes (array u8 16)))
(defstruct cell (lock bpf-res-spin-lock) (n u32))
(defmap cells :type :array :key u32 :value cell :max-entries 4)
(defprog main (:type :syscall)
  (let ((b (make-buffer)))
    (when-let ((c (map-lookup cells 0)))
      (with-res-spin-lock ((cell-lock-ptr c))
        (copy-from-user b 16 (cast u64 4096)))))
  0)
