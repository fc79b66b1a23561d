;;; `memset`, `memcpy`, `memcmp` on the stack, from the packet.
;;; packet: 0102030405060708090a0b0c0d0e0f10 1112
;;; out: 0xabababababababab 0x0807060504030201 0x100f0e0d0c0b0a09 0 1 0xabab00abababab
(defstruct buf (a u64) (b u64) (c u8))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (make-buf)) (r (make-buf)))
      (memset s 0 #xab 16)
      (setf (getmap out 0) (buf-b s))
      (memcpy r 0 d 0 17)
      (setf (getmap out 1) (buf-a r)
            (getmap out 2) (buf-b r)
            (getmap out 3) (memcmp r d 17)
            (getmap out 4) (/= 0 (memcmp s d 8)))
      (memset s 4 0 1)
      (memset s 7 0 1)
      (setf (getmap out 5) (logand (buf-a s) #xffff00ffffffff))))
  XDP_PASS)
