;; class: map-key-value
;; codes: E0202 E0202
(defstruct flow (src u64) (dst u64))
(defmap seen :type :hash :key-size 4 :value-size 4 :max-entries 16)
(defprog main (:type :xdp)
  (let ((f (make-flow :src 1)))
    (setf (getmap seen f) 1)
    (setf (getmap seen 1) f))
  XDP_PASS)
