;; class: constant-index
(defstruct name (bytes (array u8 4)))
(defprog main (:type :xdp)
  (let ((n (make-name)))
    (setf (name-bytes n 4) 0))
  XDP_PASS)
