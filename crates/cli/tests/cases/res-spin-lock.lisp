;;; Resilient spin locks: two at a time, and the same one twice is refused instead of a deadlock.
;;; packet: 00
;;; target: 6.18
;;; out: 7 8 0
(defstruct cell (lock bpf-res-spin-lock) (n u32))
(defmap cells :type :array :key u32 :value cell :max-entries 4)
(defmap other :type :array :key u32 :value cell :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((c (map-lookup cells 1)) (d (map-lookup other 1)))
    (let ((first (with-res-spin-lock ((cell-lock-ptr c))
                   (setf (cell-n c) 7)
                   (cell-n c)))
          (both (with-res-spin-lock ((cell-lock-ptr c))
                  (with-res-spin-lock ((cell-lock-ptr d))
                    (incf (cell-n c))
                    (cell-n c)))))
      (setf (getmap out 0) first
            (getmap out 1) both))
    (when (= 0 (res-spin-lock (cell-lock-ptr d)))
      (res-spin-unlock (cell-lock-ptr d)))
    (setf (getmap out 2) 0))
  XDP_PASS)
