;; class: sleep
;; codes: E0411 E0411 E0411 E0411
;; flags: --target 6.18
(defstruct buffer (bytes (array u8 16)))
(defprog a (:type :raw-tracepoint)
  (let ((b (make-buffer)))
    (copy-from-user b 16 (cast u64 4096)))
  0)
(defprog b (:type :xdp)
  (let ((b (make-buffer)))
    (copy-from-user-str b 16 (cast u64 4096) 0))
  XDP_PASS)
(defprog c (:type :syscall)
  (let ((b (make-buffer)))
    (with-rcu
      (copy-from-user b 16 (cast u64 4096)))
    (with-preempt-disabled
      (copy-from-user-str b 16 (cast u64 4096) 0)))
  0)
