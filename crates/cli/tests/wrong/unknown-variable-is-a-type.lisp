;; class: unknown-name
;; codes: E0001 E0001
(defstruct st (n u64))
(defprog main (:type :xdp)
  (let ((x u32) (s st))
    (if (= x (st-n s)) XDP_PASS XDP_DROP)))
