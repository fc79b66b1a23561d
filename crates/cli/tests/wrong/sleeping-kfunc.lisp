;; class: sleep
;; flags: --target 6.18
(defstruct buffer (bytes (array u8 16)))
(defsubprog take ((p (ptr buffer))) i64
  (copy-from-user-str p 16 (cast u64 4096) 0))
(defprog main (:type :tc)
  (let ((b (make-buffer)))
    (take b))
  0)
