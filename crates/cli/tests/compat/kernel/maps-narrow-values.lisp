;;; A narrow value given to a map is widened with zeros to the map's size.
;;; packet: ff
;;; map: m[01000000] = ff00000000000000
;;; map: m[02000000] = 3412000000000000
;;; map: small[01000000] = ff000000
(defmap m :type :hash :key-size 4 :value-size 8 :max-entries 8)
(defmap small :type :hash :key-size 4 :value-size 4 :max-entries 8)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((b (load u8 d 0)) (h u16 #x1234))
      ;; The stack behind a narrow value holds something else.
      (setf (getmap m 1) #xffffffffffffffff)
      (setf (getmap m 1) b)
      (map-update m 2 h 0)
      (map-update small 1 b 0)))
  XDP_PASS)
