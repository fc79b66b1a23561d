;;; A value with a lock: what stands in its body is done under it.
;;; packet: 00
;;; out: 3
(defstruct guarded (lock bpf-spin-lock) (n u32) (total u64))
(defmap m :type :array :key u32 :value guarded :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((p (map-lookup m 0)))
    (with-spin-lock ((guarded-lock-ptr p))
      (incf (guarded-n p) 3))
    (setf (getmap out 0) (guarded-n p)))
  XDP_PASS)
