;; class: other
(import-kernel-struct gone___v1 (a u32) (next gone___v1))
(defprog p (:type :kprobe) 0)
