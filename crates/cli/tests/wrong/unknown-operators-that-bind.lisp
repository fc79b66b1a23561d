;; class: unknown-name
;; codes: E0001 E0001
(defprog a (:type :xdp)
  (flet ((f (x) (+ x 1)))
    (f 1)))
(defprog b (:type :xdp)
  (do ((i 0 (1+ i))) ((= i 10))
    (ktime-get-ns))
  XDP_PASS)
