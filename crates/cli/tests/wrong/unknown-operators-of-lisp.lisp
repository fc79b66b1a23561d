;; class: unknown-name
;; codes: E0001 E0001 E0001 E0001 E0001
(defun is-web (port) (= port 80))
(defprog main (:type :xdp)
  (with-udp (data end udp)
    (let ((ports (list (udp-src-port udp) (udp-dst-port udp))))
      (when (is-web (car ports)) (return XDP_DROP)))
    (when (string= "a" "b") (return XDP_DROP))
    (concatenate "a" "b")
    (map-ref udp 0))
  XDP_PASS)
