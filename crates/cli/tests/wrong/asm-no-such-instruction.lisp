;; class: malformed
;; codes: E0004 E0004 E0006
(defprog p (:type :xdp)
  (let ((x 1)) (asm #xe7 x 0 0 0) (asm #x107 x 0 0 0) (asm #x07 (+ x 4) 0 0 0) x))
