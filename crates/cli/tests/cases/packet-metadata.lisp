;;; What is put before the packet ends where the packet begins.
;;; packet: 00
;;; out: 1 305419896 5
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (unless (= 0 (xdp-adjust-meta -8)) (return XDP_ABORTED))
  (let ((meta (ctx data_meta)) (data (ctx data)))
    (when (in-bounds meta 8 data)
      (setf (getmap out 0) 1)
      (store u32 meta 0 #x12345678)
      (store u32 meta 4 5)
      (setf (getmap out 1) (load u32 meta 0)))
    (when (<= (+ meta 8) data)
      (setf (getmap out 2) (load u32 meta 4))))
  XDP_PASS)
