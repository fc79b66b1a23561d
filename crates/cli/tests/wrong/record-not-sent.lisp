;; class: reference
(defmap ring :type :ringbuf :max-entries 4096)
(defprog main (:type :xdp)
  (when-let ((r (ringbuf-reserve ring 8 0)))
    (store u64 r 0 1)
    (when (> (ktime-get-ns) 5)
      (ringbuf-submit r 0)))
  XDP_PASS)
