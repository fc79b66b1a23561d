;; class: arguments
(defstruct flow (src u32) (dst u32))
(defstruct event (pid u32) (kind u32))
(defprog main (:type :xdp)
  (let ((e (make-event)))
    (setf (flow-src e) 5))
  XDP_PASS)
