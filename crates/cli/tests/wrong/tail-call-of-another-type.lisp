;; class: not-allowed
(defmap next :type :prog-array :max-entries 4 :values (second))
(defprog first (:type :xdp)
  (tail-call next 0)
  XDP_PASS)
(defprog second (:type :tc) 1)
