;;; Text into memory by the kernel's formatter; more values than three to the trace pipe.
;;; packet: 00
;;; out: 6 0x0066662d3234 6 4
(defstruct text (bytes (array char 32)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((s (make-text)))
    (setf (getmap out 0) (print-into s 32 "%d-%x" 42 255)
          (getmap out 1) (load u64 s 0)
          (getmap out 2) (print-into s 3 "hello")
          (getmap out 3) (snprintf s 32 "abc" 0 0)))
  (printk "%d %d %d %d" 1 2 3 4)
  (printk "plain")
  XDP_PASS)
