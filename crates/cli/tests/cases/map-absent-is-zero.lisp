;;; `getmap` of what is not there is 0, with and without a struct key; `map-lookup` is null.
;;; packet: 00
;;; out: 0 1 2 0
(defmap m :type :hash :key u64 :value i32 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) (+ 0 (getmap m 5))
        (getmap out 1) (not (map-lookup m 5))
        (getmap out 2) (if (map-lookup m 5) 1 2)
        (getmap out 3) (when-let ((p (map-lookup m 5))) (load i32 p)))
  XDP_PASS)
