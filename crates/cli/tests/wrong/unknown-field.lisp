;; class: unknown-name
(defstruct event (pid u32) (comm (array char 16)))
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((e (make-event)))
    (setf (event-pidd e) 1))
  0)
