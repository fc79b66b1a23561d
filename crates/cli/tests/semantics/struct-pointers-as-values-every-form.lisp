;;; A struct pointer given as a map's value means the bytes it points to, whichever form writes it; the entry does
;;; not change with the struct afterwards.
;;; packet: 01
;;; out: 7 9 7 9 7
(defstruct stat (a u32) (b u64))
(defmap typed :type :hash :key u32 :value stat :max-entries 8)
(defmap sized :type :hash :key-size 4 :value-size 16 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((s (make-stat :a 7 :b 9)))
    (setf (getmap typed 1) s)
    (map-update typed 2 s BPF_ANY)
    (map-update sized 1 s BPF_ANY)
    (setf (stat-a s) 77 (stat-b s) 99)
    (when-let ((p (map-lookup typed 1)))
      (setf (getmap out 0) (stat-a p) (getmap out 1) (stat-b p))
      (setf (getmap typed 3) p))
    (when-let ((p (map-lookup typed 2)))
      (setf (getmap out 2) (stat-a p)))
    (when-let ((p (map-lookup sized 1)))
      (setf (getmap out 3) (stat-b p)))
    (when-let ((p (map-lookup typed 3)))
      (setf (getmap out 4) (stat-a p))))
  XDP_PASS)
