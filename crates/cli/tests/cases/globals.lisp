;;; Globals start with their values and are written in place; parameters are constants of the program.
;;; packet: 00
;;; out: 5 6 -1 100 30 0 44
(defglobal counter u64 5)
(defglobal small u8 250)
(defglobal fresh u64 0)
(defglobal below i32 -1)
(defparam limit u32 100)
(defparam table (array u32 4) #(10 20 30 40))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) counter)
    (incf counter)
    (setf (getmap out 1) counter
          (getmap out 2) below
          (getmap out 3) limit
          (getmap out 4) (aref table (+ 2 (logand (load u8 d 0) 1)))
          (getmap out 5) fresh)
    (incf small 50)
    (setf (getmap out 6) small))
  XDP_PASS)
