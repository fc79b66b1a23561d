;; class: object-bounds
(defstruct event (comm (array char 8)))
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((e (make-event)))
    (get-current-comm (event-comm-ptr e) 16))
  0)
