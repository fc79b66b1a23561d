;; class: arguments
;; codes: E0002 E0004 E0003 E0003 E0003
(defprog main (:type :xdp)
  (emit "%d %d" 1)
  (emit "%y" 1)
  (emit "%s" 5)
  (emit "%d" (ctx-ptr))
  (emit "%s" (ctx data))
  XDP_PASS)
