;; class: gpl
;; codes: E0406 E0406 E0406
(defstruct buffer (bytes (array u8 16)))
(defprog a (:type :raw-tracepoint :license "Proprietary")
  (kernel-load u32 (cast u64 4096))
  0)
(defprog b (:type :xdp :license "MIT")
  (printk "one %d" 1)
  XDP_PASS)
(defprog c (:type :raw-tracepoint :license "Apache-2.0")
  (let ((b (make-buffer)))
    (probe-read-user-str b 16 (cast u64 4096)))
  0)
