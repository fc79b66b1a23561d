;;; What bit the original: a u8 stored into an 8-byte map value (its upper bytes are zero), a u16 field written and
;;; the u32 around it read, a 64-bit store of #xffffffff, signed fields that sign-extend.
;;; packet: c8
;;; out: 200 0xffffffff 0x1234abcd 0xffffffff -56 -56 -1 -2
;;; map: wide[00000000] = c800000000000000
(defstruct pair (lo u16) (hi u16))
(defunion word (all u32) pair)
(defstruct signs (a i8) (b i32) (c (bits i8 1)) (d (bits i16 3)))
(defmap wide :type :hash :key-size 4 :value-size 8 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap wide 1) -1)
    (map-update wide 0 (load u8 d 0) BPF_ANY)
    (remmap wide 1)
    (setf (getmap out 0) (getmap wide 0))
    (let ((place (make-signs)) (w (make-word)) (p (make-pair)))
      (setf (word-all w) #x1234ffff)
      (setf (pair-lo (word-pair w)) #xabcd)
      (setf (getmap out 2) (word-all w))
      (let ((room u64 -1))
        (store u64 (stack-addr room) 0 #xffffffff)
        (setf (getmap out 1) room
              (getmap out 3) (load u64 (stack-addr room))))
      (setf (signs-a place) (load u8 d 0)
            (signs-b place) (signs-a place)
            (signs-c place) 1
            (signs-d place) 6
            (pair-lo p) 0)
      (setf (getmap out 4) (signs-a place)
            (getmap out 5) (signs-b place)
            (getmap out 6) (signs-c place)
            (getmap out 7) (signs-d place))))
  XDP_PASS)
