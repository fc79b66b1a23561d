;; class: duplicate
;; `-` and `_` name the same kernel thing.
(defprog count-packets (:type :xdp) XDP_PASS)
(defprog count_packets (:type :xdp) XDP_DROP)
