;;; Per-CPU maps count without atomics; their values add up over the CPUs.
;;; packet: 00
;;; out: 7 0
;;; sum: c[01000000] = 7
;;; sum: h[05000000] = 3
(defmap c :type :percpu-array :key u32 :value u64 :max-entries 2)
(defmap h :type :percpu-hash :key u32 :value u64 :max-entries 2)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (dotimes (i 7) (incf (getmap c 1)))
  (incf (getmap h 5) 3)
  (setf (getmap out 0) (getmap c 1)
        (getmap out 1) (getmap c 0))
  XDP_PASS)
