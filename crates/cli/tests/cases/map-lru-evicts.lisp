;;; What is promised of a full LRU map: the newest entry always is there, and never are there more than may be. Which
;;; older ones are left is the kernel's business.
;;; packet: 00
;;; out: 300 1 1 1 300 1
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defmap recent :type :lru-hash :key u32 :value u64 :max-entries 64)
(defmap recent-here :type :lru-percpu-hash :key u32 :value u64 :max-entries 64)

(defprog main (:type :xdp :license "GPL")
  (let ((newest 0) (entries 0) (right 1) (newest-here 0))
    (dotimes (i 300)
      (setf (getmap recent i) (+ i 1000)
            (getmap recent-here i) (+ i 2000))
      (when (= (getmap recent i) (+ i 1000)) (incf newest))
      (when (= (getmap recent-here i) (+ i 2000)) (incf newest-here)))
    (do-map (k v recent)
      (incf entries)
      (when (/= v (+ k 1000)) (setf right 0)))
    (setf (getmap out 0) newest
          (getmap out 1) (<= entries 64)
          (getmap out 2) (> entries 0)
          (getmap out 3) right
          (getmap out 4) newest-here
          (getmap out 5) (= (getmap recent 299) 1299)))
  XDP_PASS)
