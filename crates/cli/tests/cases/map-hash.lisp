;;; A hash map's whole life: absent, put, there, changed, removed; the flags' error codes.
;;; packet: 05000000
;;; out: 0 0 77 0 -17 -2 78 0 -2 0
;;; map: m[09000000] = 0400000000000000
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((k (load u32 d 0)))
      (setf (getmap out 0) (getmap m k)
            (getmap out 1) (map-update m k 77 BPF_ANY)
            (getmap out 2) (getmap m k)
            (getmap out 3) (if-let (p (map-lookup m (+ 4 4))) (load u64 p) 0)
            (getmap out 4) (map-update m k 1 BPF_NOEXIST)
            (getmap out 5) (map-update m 6 1 BPF_EXIST))
      (when-let ((p (map-lookup m k)))
        (incf (load u64 p))
        (setf (getmap out 6) (load u64 p)))
      (setf (getmap out 7) (map-delete m k)
            (getmap out 8) (remmap m k)
            (getmap out 9) (getmap m k))
      (setmap m 9 4)))
  XDP_PASS)
