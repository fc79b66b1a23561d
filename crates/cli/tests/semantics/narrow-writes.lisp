;;; What a narrow value fills, and what lies around it: a u8 in an 8-byte map value has zeros above; a u16 field
;;; written is seen by the u32 around it; #xffffffff as a u64 is not -1.
;;; packet: ff
;;; out: 255 0xabcd5678 0x5678 0xffffffff 1
;;; map: old[01000000] = ff00000000000000
(defstruct word (lo u16) (hi u16))
(defmap old :type :hash :key-size 4 :value-size 8 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((w (make-word)) (x u64 -1) (b u8 (load u8 d 0)))
      (setf (getmap old 1) b)
      (setf (getmap out 0) (getmap old 1))
      (store u32 w 0 #x12345678)
      (setf (word-hi w) #xabcd)
      (setf (getmap out 1) (load u32 w 0)
            (getmap out 2) (word-lo w))
      (store u64 (stack-addr x) 0 #xffffffff)
      (setf (getmap out 3) x
            (getmap out 4) (> x 0))))
  XDP_PASS)
