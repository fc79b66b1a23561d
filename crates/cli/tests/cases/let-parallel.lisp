;;; `let` binds all at once, `let*` in order; inner names hide outer ones and leave them alone.
;;; packet: 01 02
;;; out: 2 1 2 2 1 9 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (y (load u8 d 1)))
      (let ((x y) (y x))
        (setf (getmap out 0) x (getmap out 1) y))
      (let* ((x y) (z x))
        (setf (getmap out 2) x (getmap out 3) z))
      (setf (getmap out 4) x)
      (let ((x 5))
        (setf x 9)
        (setf (getmap out 5) x))
      (setf (getmap out 6) x)))
  XDP_PASS)
