;;; Two structs of 300 bytes in scopes of their own, one after the other: they lie in the same memory.
;;; packet: 09
;;; out: 9 18
(defstruct big (byte (array u8 300)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defmap kept :type :hash :key u32 :value big :max-entries 2)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (make-big)))
      (setf (big-byte a 7) (load u8 d 0))
      (map-update kept 1 a 0))
    (let ((b (make-big)))
      (setf (big-byte b 8) (* 2 (load u8 d 0)))
      (map-update kept 2 b 0))
    (when-let ((a (map-lookup kept 1)) (b (map-lookup kept 2)))
      (setf (getmap out 0) (+ (big-byte a 7) (big-byte a 8))
            (getmap out 1) (+ (big-byte b 7) (big-byte b 8)))))
  XDP_PASS)
