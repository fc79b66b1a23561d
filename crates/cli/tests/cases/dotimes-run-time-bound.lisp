;;; A count known only when it runs, below and above its `:max`.
;;; loops: every way
;;; packet: 05 c8
;;; out: 5 10 16 120
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((n (load u8 d 0)) (many (load u8 d 1)) (a 0) (s 0) (b 0) (s2 0))
      (dotimes (i n :max 16) (incf a) (incf s i))
      (dotimes (i many :max 16) (incf b) (incf s2 i))
      (setf (getmap out 0) a (getmap out 1) s
            (getmap out 2) b (getmap out 3) s2)))
  XDP_PASS)
