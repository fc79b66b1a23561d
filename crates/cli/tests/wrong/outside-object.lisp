;; class: object-bounds
(defstruct pair (a u32) (b u32))
(defprog main (:type :xdp)
  (let ((p (make-pair)))
    (store u32 p 8 1))
  XDP_PASS)
