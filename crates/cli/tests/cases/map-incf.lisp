;;; `incf` of an entry creates it, counts in its width, yields what the entry then holds.
;;; packet: 07000000
;;; out: 1 6 2 0 5
;;; map: wide[07000000] = 0200000000000000
;;; map: narrow[07000000] = 05000000
(defmap wide :type :hash :key u32 :value u64 :max-entries 8)
(defmap narrow :type :hash :key u32 :value u32 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((k (load u32 d 0)))
      (setf (getmap out 0) (progn (incf (getmap wide k)) (getmap wide k)))
      (incf (getmap wide k) 5)
      (setf (getmap out 1) (getmap wide k))
      (decf (getmap wide k) 4)
      (setf (getmap out 2) (getmap wide k))
      (incf-map narrow k #xffffffff)
      (incf-map narrow k)
      (setf (getmap out 3) (getmap narrow k))
      (incf-map narrow k 5)
      (setf (getmap out 4) (getmap narrow k))))
  XDP_PASS)
