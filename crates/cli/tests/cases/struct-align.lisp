;;; `:align` widens a struct's alignment, and with it its size and where it lies in others.
;;; packet: 00
;;; out: 16 32 16 3 9
(defstruct (wide :align 16) (a u8) (b u32))
(defstruct outer (x u8) (w wide))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((o (make-outer)))
    (setf (outer-x o) 3
          (-> o w b) 9)
    (setf (getmap out 0) (sizeof wide)
          (getmap out 1) (sizeof outer)
          (getmap out 2) (offsetof outer w)
          (getmap out 3) (outer-x o)
          (getmap out 4) (-> o w b)))
  XDP_PASS)
