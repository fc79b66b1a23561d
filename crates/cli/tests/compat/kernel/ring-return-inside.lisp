;;; `return` inside of `with-ringbuf` submits the record first; one that was discarded is not submitted again.
;;; packet: 05
;;; result: 7
;;; out: 5
(defstruct ev (a u64))
(defmap ring :type :ringbuf :max-entries 4096)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (with-ringbuf (r ring (sizeof ev))
      (when (= (load u8 d 0) 6)
        (ringbuf-discard r 0)
        (return 8))
      (setf (ev-a r) 1)
      (when (= (load u8 d 0) 5)
        (setf (getmap out 0) 5)
        (return 7))))
  XDP_PASS)
