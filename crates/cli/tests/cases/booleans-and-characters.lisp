;;; `bool` holds 0 or 1, `char` one byte.
;;; packet: 05 41
;;; out: 1 0 65 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((yes bool (load u8 d 0)) (no bool 0) (c char (load u8 d 1)))
      (setf (getmap out 0) yes
            (getmap out 1) no
            (getmap out 2) c
            (getmap out 3) (= c #\A))))
  XDP_PASS)
