;; class: unknown-name
(defconstant +n+ (lenght '(1 2 3)))
