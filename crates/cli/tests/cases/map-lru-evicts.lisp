;;; An LRU map takes a new entry when it is full, and an old one goes.
;;; packet: 00
;;; out: 39 1
(defmap recent :type :lru-hash :key u32 :value u32 :max-entries 2)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (dotimes (i 40) (map-update recent i i BPF_ANY))
  (setf (getmap out 0) (getmap recent 39)
        (getmap out 1) (if (map-lookup recent 1) 0 1))
  XDP_PASS)
