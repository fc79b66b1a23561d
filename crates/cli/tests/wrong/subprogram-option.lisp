;; class: malformed
(defsubprog f ((x u64)) u64 :globl t (+ x 1))
(defprog main (:type :xdp) (if (= (f 2) 3) XDP_DROP XDP_PASS))
