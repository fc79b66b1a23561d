;;; `ldb` takes bits out of a number, `dpb` puts them in.
;;; packet: efbeadde 05
;;; out: 0xbe 0xd 0xde05beef 0xdeadbeef 1 0xdeadbe5f
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u32 d 0)) (v (load u8 d 4)))
      (setf (getmap out 0) (ldb (byte 8 8) x)
            (getmap out 1) (ldb (byte 4 28) x)
            (getmap out 2) (dpb v (byte 8 16) x)
            (getmap out 3) (ldb (byte 64 0) x)
            (getmap out 4) (ldb (byte 1 31) x)
            (getmap out 5) (dpb v (byte 4 4) x))))
  XDP_PASS)
