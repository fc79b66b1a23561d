;; class: unknown-name
(defstruct event (pid uint32))
