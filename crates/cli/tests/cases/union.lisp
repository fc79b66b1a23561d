;;; The members of a union share their bytes.
;;; packet: 78563412
;;; out: 0x12345678 0x5678 0x12 8
(defstruct word (w u32))
(defstruct parts (lo u16) (hi u16) (tail u32))
(defunion either word parts)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (make-either)))
      (setf (word-w u) (load u32 d 0))
      (setf (getmap out 0) (word-w u)
            (getmap out 1) (parts-lo u)
            (getmap out 2) (>> (parts-hi u) 8)
            (getmap out 3) (sizeof either))))
  XDP_PASS)
