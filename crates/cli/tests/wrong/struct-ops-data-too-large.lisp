;; class: object-bounds
(defstruct state (samples (array u64 16)))
(defprog my-init (:type :struct-ops :section "struct_ops/init")
  (memset (inet-csk-ca (arg sk) state) 0 0 (sizeof state)))
