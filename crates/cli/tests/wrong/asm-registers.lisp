;; class: malformed
;; codes: E0004 E0004 E0004 E0004
(defprog p (:type :xdp)
  (asm #xb7 10 0 0 1)
  (asm #x79 2 1 0 0)
  (asm #x85 0 0 0 1)
  (asm #x85 0 0 0 9999)
  XDP_PASS)
