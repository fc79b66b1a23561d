;; class: malformed
(defprog p (:type :xdp)
  (let ((x 1)) (asm #x05 x 0 2 0) x))
