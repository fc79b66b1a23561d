;; class: other
(defmap jumps :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defprog p (:type :xdp) (tail-call jumps 4) XDP_PASS)
