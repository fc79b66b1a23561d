;; class: arguments
;; codes: E0003 E0306 E0003
(defstruct a (x u32))
(defstruct b (y u64))
(defstruct holder (one a) (two b))
(defprog p (:type :xdp)
  (let ((h (make-holder)))
    (setf (holder-one h) (holder-two h))
    (setf (holder-two h) (holder-one h))
    (setf (holder-one h) 5)
    XDP_PASS))
