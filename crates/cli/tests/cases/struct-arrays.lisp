;;; Elements of a field that is an array, by constant and by bounded index.
;;; packet: 02 ffff
;;; out: 7 9 0 -1 65535 16
(defstruct box (n (array u32 4)) (m (array i16 3)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((b (make-box)) (i (logand (load u8 d 0) 3)) (h (load u16 d 1)))
      (setf (box-n b 0) 7
            (box-n b i) 9
            (box-m b 1) h)
      (setf (getmap out 0) (box-n b 0)
            (getmap out 1) (box-n b 2)
            (getmap out 2) (box-n b 3)
            (getmap out 3) (box-m b 1)
            (getmap out 4) (logand (box-m b 1) #xffff))
      (incf (box-n b i) 7)
      (setf (getmap out 5) (box-n b i))))
  XDP_PASS)
