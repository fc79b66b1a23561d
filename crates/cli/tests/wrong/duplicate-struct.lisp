;; class: duplicate
;; The fields of the second one are not reported as unknown.
(defstruct event (pid u32))
(defstruct event (pid u32) (uid u32))
(defprog main (:type :xdp)
  (let ((e (make-event)))
    (setf (event-uid e) 1))
  XDP_PASS)
