;; class: malformed
;; codes: E0004 E0004 E0004 E0055
(defstruct s (a u8 u8))
(defstruct q (a u8) (b u32 :align 8))
(defprog empty (:type :xdp))
(defconstant +nothing+)
