;;; LRU maps are used as hash maps are.
;;; packet: 00
;;; out: 3 0
;;; map: m[07000000] = 0300000000000000
(defmap m :type :lru-hash :key u32 :value u64 :max-entries 128)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (dotimes (i 3) (incf (getmap m 7)))
  (setf (getmap out 0) (getmap m 7)
        (getmap out 1) (getmap m 8))
  XDP_PASS)
