;; class: malformed
;; codes: E0004 E0004
(defprog main (:type :xdp)
  (let ((nil 5) (n 1))
    (let ((t 0))
      (if n XDP_PASS XDP_DROP))))
