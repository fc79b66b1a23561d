;;; `setf` takes pairs in order, `psetf` all at once; each yields what the place then holds.
;;; packet: 01 02
;;; out: 2 2 2 1 7 44 6 3 2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)) (n u8 0))
      (setf a b
            b a)
      (setf (getmap out 0) a (getmap out 1) b)
      (setf a (load u8 d 0) b (load u8 d 1))
      (psetf a b
             b a)
      (setf (getmap out 2) a (getmap out 3) b)
      (setf (getmap out 4) (setf a 7))
      (setf (getmap out 5) (setf n (+ 300 0 (- (load u8 d 0) 1))))
      (setf (getmap out 6) (decf a))
      (setf (getmap out 7) (prog1 (+ b 2) (incf b)))
      (setf (getmap out 8) b)))
  XDP_PASS)
