;; class: unknown-name
;; codes: E0001 E0001 E0003
(defenum verdict :pass :drop)
(defenum mode :pass :busy)
(defstruct rec (v verdict) (m mode))
(defprog p (:type :xdp)
  (let ((r (make-rec)))
    (setf (rec-v r) :drp)
    (setf (rec-m r) :drop)
    (setf (rec-v r) (rec-m r))
    (load u8 r (+ 0 :pass))
    XDP_PASS))
