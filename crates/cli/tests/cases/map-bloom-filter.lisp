;;; A bloom filter says whether a value may have been put into it.
;;; packet: 01
;;; out: 0 -2 0 1
(defmap seen :type :bloom-filter :value u64 :max-entries 64 :map-extra 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (map-push seen (load u8 d 0)))
    (setf (getmap out 1) (map-peek seen 12345))
    (setf (getmap out 2) (map-peek seen 1))
    (when (zerop (map-peek seen (load u8 d 0)))
      (setf (getmap out 3) 1)))
  XDP_PASS)
