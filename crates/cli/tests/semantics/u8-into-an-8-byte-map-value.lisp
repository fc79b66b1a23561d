;;; A u8 stored into an 8-byte map value: the upper bytes are zero, whatever stood there and whichever form writes.
;;; packet: c8
;;; out: 200 200 200 200
;;; map: m[00000000] = c800000000000000
;;; map: m[01000000] = c800000000000000
;;; map: m[02000000] = c800000000000000
;;; map: m[03000000] = c800000000000000
(defmap m :type :hash :key-size 4 :value-size 8 :max-entries 8)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((b u8 (load u8 d 0)))
      (dotimes (i 4) (setf (getmap m i) -1))
      (map-update m 0 b BPF_ANY)
      (setf (getmap m 1) b)
      (setmap m 2 (load u8 d 0))
      (when-let ((p (map-lookup m 3)))
        (store u64 p 0 b))
      (dotimes (i 4)
        (setf (getmap out i) (getmap m i)))))
  XDP_PASS)
