;; class: unknown-name
;; Nothing is said of the variables that the misspelt macro would have bound.
(defprog main (:type :xdp)
  (with-pakcet (data data-end :min-len 14)
    (when (= (load u16 data 12) 8)
      (return XDP_DROP)))
  XDP_PASS)
