;; class: not-allowed
;; codes: E0405 E0405 E0405
(defstruct buffer (bytes (array u8 16)))
(defprog a (:type :xdp)
  (with-reference (t1 (task-from-pid 1)) (-> t1 pid))
  XDP_PASS)
(defprog b (:type :syscall)
  (let ((b (make-buffer)))
    (cgrp-storage-delete b b)
    (strlen "abc"))
  0)
