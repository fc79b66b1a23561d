;; class: other
;; codes: E0006 E0205 E0004 W0104
(defstruct flags (a (bits u8 3)) (b (bits u8 5)))
(defprog p (:type :xdp)
  (let ((f (make-flags :a 9)))
    (flags-a-ptr f)
    (atomic-incf (flags-a f))
    (sizeof flags b)
    XDP_PASS))
