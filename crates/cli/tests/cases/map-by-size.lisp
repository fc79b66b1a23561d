;;; Maps declared by size, as in older sources: wider keys and values give their low bytes.
;;; packet: 0500000001000000
;;; out: 0x89
;;; map: m[05000000] = 89
(defmap m :type :hash :key-size 4 :value-size 1 :max-entries 8)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap m (load u64 d 0)) #x6789)
    (setf (getmap out 0) (getmap m 5)))
  XDP_PASS)
