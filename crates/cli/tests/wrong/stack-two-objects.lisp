;; class: stack-size
(defstruct path (bytes (array u8 256)))
(defstruct name (bytes (array u8 300)))
(defprog main (:type :kprobe :section "kprobe/vfs_read")
  (let ((p (make-path))
        (n (make-name)))
    (probe-read-kernel p 256 (pt-regs-parm1))
    (probe-read-user n 300 (pt-regs-parm2))
    (if (= (path-bytes p 3) (name-bytes n 4)) 1 0)))
