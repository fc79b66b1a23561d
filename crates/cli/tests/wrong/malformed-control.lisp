;; class: malformed
;; codes: E0004 E0004 E0004 E0004 E0004
(defprog p (:type :xdp)
  (let ((x 1))
    (cond x)
    (case x 1)
    (dotimes i 3)
    (block 3 x)
    (when-let (y x) y)
    (psetf x)
    XDP_PASS))
