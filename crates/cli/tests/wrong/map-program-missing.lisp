;; class: other
(defmap next :type :prog-array :max-entries 4 :values (frist second))
(defprog first (:type :xdp) XDP_PASS)
(defprog second (:type :xdp) (tail-call next 0) XDP_PASS)
