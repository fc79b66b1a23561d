;; class: variable-index
(defstruct box (cells (array u32 4)))
(defprog main (:type :xdp)
  (let ((b (make-box)))
    (setf (box-cells b (logand (get-prandom-u32) 7)) 1)
    (if (= (box-cells b 0) 1) XDP_DROP XDP_PASS)))
