;;; Branches that meet take the typed side's type; an implicit 0 does too.
;;; packet: 01 ff 00
;;; out: -1 1 0 255 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((c (load u8 d 0)) (m (load i8 d 1)) (u (load u8 d 1)) (z (load u8 d 2)))
      (setf (getmap out 0) (if c m 5)
            (getmap out 1) (< (if c m 0) 0)
            (getmap out 2) (< (when z m) 0)
            (getmap out 3) (if c u m)
            (getmap out 4) (> (if c u 7) 100))))
  XDP_PASS)
