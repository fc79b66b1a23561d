;; class: packet-bounds
;; The length is 16 bits wide: the verifier follows no packet pointer that may be 64 KiB away.
(defprog main (:type :xdp)
  (with-ipv4 (data data-end ip)
    (let ((trailer (+ ip (ipv4-total-len ip))))
      (when (in-bounds trailer 4 data-end)
        (when (= (load u32 trailer) #xdeadbeef) (return XDP_DROP)))))
  XDP_PASS)
