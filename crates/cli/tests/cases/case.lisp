;;; `case` with single keys, lists of keys, negative keys and the rest.
;;; packet: 02 07 ff 09
;;; out: 20 70 -10 99 0 1 3
(defconstant +seven+ 7)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (case (load u8 d 0) (1 10) (2 20) (3 30) (t 99))
          (getmap out 1) (case (load u8 d 1) ((1 2 3) 10) ((5 6 7) 70) (otherwise 99))
          (getmap out 2) (case (load i8 d 2) (-1 -10) (1 10))
          (getmap out 3) (case (load u8 d 3) (1 10) ((2 3) 20) (t 99))
          (getmap out 4) (case (load u8 d 3) (1 10))
          (getmap out 5) (case (load u8 d 1) (+seven+ 1) (t 2))
          (getmap out 6) (case (load u8 d 0) (2 1 2 3) (t 4))))
  XDP_PASS)
