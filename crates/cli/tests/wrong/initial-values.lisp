;; class: arguments
;; codes: E0004 E0004 E0004 E0004 E0004 E0009
(defstruct rec (a u8) (b u16))
(defparam a (array u8 2) #(1 2 3))
(defparam b (array char 3) "long text")
(defparam c rec #(1 2 3))
(defparam d rec 5)
(defparam e (array u32 2) 7)
(defglobal f u32 "x")
