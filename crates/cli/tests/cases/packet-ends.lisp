;;; The packet's ends by hand: `in-bounds`, and the value that lets a packet pass.
;;; packet-only: 0102030405060708090a0b0c0d0e0f10
;;; result: 2
;;; out: 16 1 0 0x0807060504030201 0x10
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((d (packet-data)) (e (packet-data-end)))
    (setf (getmap out 0) (- e d)
          (getmap out 1) (in-bounds d 16 e)
          (getmap out 2) (in-bounds d 17 e))
    (when (in-bounds d 8 e)
      (setf (getmap out 3) (load u64 d 0)))
    (when (in-bounds (+ d 8) 8 e)
      (setf (getmap out 4) (load u8 d 15))))
  (packet-pass))
