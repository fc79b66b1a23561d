;; class: null
(defstruct event (pid u32))
(defmap ring :type :ringbuf :max-entries 4096)
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((e (ringbuf-reserve ring (sizeof event) 0)))
    (setf (event-pid e) 1)
    (ringbuf-submit e 0))
  0)
