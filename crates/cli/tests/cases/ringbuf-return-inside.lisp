;;; Leaving `with-ringbuf` by `return` submits the record all the same.
;;; packet: 01
;;; result: 3
;;; map: seen[00000000] = 0100000000000000
(defmap ring :type :ringbuf :max-entries 4096)
(defmap seen :type :array :key u32 :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (with-ringbuf (r ring 8)
      (store u64 r 0 7)
      (incf (getmap seen 0))
      (when (= (load u8 d 0) 1)
        (return 3))
      (store u64 r 0 8))
    (incf (getmap seen 0) 10))
  XDP_PASS)
