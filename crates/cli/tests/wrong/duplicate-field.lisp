;; class: duplicate
(defstruct event (pid u32) (uid u32) (pid u64))
