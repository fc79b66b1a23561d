;; class: unknown-name
;; codes: E0008 E0008 E0008 E0001 E0001 E0001 E0001 E0001 E0001
(defstruct inner (port u16))
(defstruct flow (src u32) (in inner))
(defstruct bad (x (bits u8 9)) (y (be u8 3)) (z (array u31 4)))
(defparam start flow (:sorce 1))
(defprog p (:type :xdp)
  (let ((f (make-flow :scr 1)))
    (-> f in prot)
    (flow-dst f)
    (offsetof flow in prt)
    (setf (flow-in f) (make-flwo))
    XDP_PASS))
