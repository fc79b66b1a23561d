;;; `(> -1 0)` is the same folded and at run time: among signed numbers false.
;;; packet: ff
;;; out: 0 0 1 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((m (load i8 d 0)))
      (setf (getmap out 0) (> -1 0)
            (getmap out 1) (> m 0)
            (getmap out 2) (< -1 0)
            (getmap out 3) (< m 0)
            (getmap out 4) (> m (load u8 d 1)))))
  XDP_PASS)
