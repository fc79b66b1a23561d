;; class: object-bounds
(defstruct event (pid u32) (kind u32))
(defmap ring :type :ringbuf :max-entries 4096)
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((e (make-event)))
    (ringbuf-output ring e 16 0))
  0)
