;; class: other
;; codes: E0008 E0052 E0052
(defstruct chain (head u32) (next chain) (tail u32))
(defconstant +low+ (- +high+ 10))
(defconstant +high+ (+ +low+ 10))
(defstruct table (cells (array u8 +room+)))
(defconstant +room+ (sizeof table))
(defprog main (:type :xdp)
  (let ((c (make-chain :head 7)))
    (if (> (chain-head c) +low+) XDP_DROP XDP_PASS)))
