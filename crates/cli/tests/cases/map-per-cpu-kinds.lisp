;;; Per-CPU arrays, hashes and LRU hashes: each CPU has its own value, and another one's can be looked up.
;;; packet: 00
;;; out: 3 5 8 3 0
;;; sum: arr[01000000] = 3
;;; sum: tab[07000000] = 5
(defstruct stat (n u64) (m u32))
(defmap arr :type :percpu-array :key u32 :value u64 :max-entries 4)
(defmap tab :type :percpu-hash :key u32 :value u64 :max-entries 4)
(defmap lru :type :lru-percpu-hash :key u32 :value stat :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (incf (getmap arr 1) 3)
  (incf (getmap tab 7) 5)
  (setf (getmap out 0) (getmap arr 1)
        (getmap out 1) (getmap tab 7))
  (setf (getmap lru 1) (make-stat :n 8))
  (when-let ((s (map-lookup lru 1)))
    (setf (getmap out 2) (stat-n s)))
  (when-let ((v (map-lookup-percpu arr 1 (get-smp-processor-id))))
    (setf (getmap out 3) (deref v)))
  (setf (getmap out 4) (if (map-lookup-percpu arr 1 100000) 1 0))
  XDP_PASS)
