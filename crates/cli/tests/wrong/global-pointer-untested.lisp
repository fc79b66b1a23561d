;; class: null
(defstruct pair (a u64) (b u64))
(defsubprog sum ((p (ptr pair))) u64 :global t (+ (pair-a p) (pair-b p)))
(defprog main (:type :xdp)
  (let ((p (make-pair))) (if (= (sum p) 3) XDP_DROP XDP_PASS)))
