;; class: stack-size
(defstruct page (bytes (array u8 600)))
(defprog main (:type :xdp)
  (let ((p (make-page)))
    (setf (page-bytes p 0) 1)
    (page-bytes p 599)))
