;;; Array maps by constant and by run-time index; an index outside reads as 0 and is not written.
;;; packet: 02000000 09000000
;;; out: 11 0 30 0
;;; map: a[01000000] = 0b000000
;;; map: a[02000000] = 1e000000
(defmap a :type :array :key u32 :value u32 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((i (load u32 d 0)) (far (load u32 d 4)))
      (setf (getmap a 1) 11
            (getmap a i) 30)
      (setf (getmap a far) 99)
      (incf (getmap a far))
      (setf (getmap out 0) (getmap a 1)
            (getmap out 1) (getmap a 0)
            (getmap out 2) (getmap a i)
            (getmap out 3) (getmap a far))))
  XDP_PASS)
