;; class: malformed
;; codes: E0027 E0022 E0023
(defconstant +a+ #xzz)
)
(defprog main (:type :xdp)
  XDP_PASS)
(defconstant +b+ "never ends)
