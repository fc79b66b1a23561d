;; class: malformed
(defheader beacon
  (version :offset 0 :type u8 :bits (4 5)))
(defprog main (:type :xdp) XDP_PASS)
