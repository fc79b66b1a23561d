;;; A record may be discarded inside `with-ringbuf`, on one path or all.
;;; packet: 01
;;; result: 2
(defmap ring :type :ringbuf :max-entries 4096)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (with-ringbuf (r ring 16)
      (store u64 r 0 1)
      (store u64 r 8 1)
      (when (= (load u8 d 0) 1)
        (ringbuf-discard r 0)
        (return XDP_PASS))))
  XDP_DROP)
