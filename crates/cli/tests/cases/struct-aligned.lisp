;;; `:align` raises a struct's alignment and rounds its size; `:packed` takes all padding out; both go together.
;;; packet: 00
;;; out: 16 16 7 8 1 3 8
(defstruct (wide :align 16) (a u8) (b u32))
(defstruct holder (x u8) (w wide))
(defstruct (tight :packed) (a u8) (b u32) (c u16))
(defstruct (both :packed :align 8) (a u8) (b u32))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((s (make-tight :b 3)))
    (setf (getmap out 0) (sizeof wide)
          (getmap out 1) (offsetof holder w)
          (getmap out 2) (sizeof tight)
          (getmap out 3) (sizeof both)
          (getmap out 4) (offsetof both b)
          (getmap out 5) (tight-b s)
          (getmap out 6) (sizeof both)))
  XDP_PASS)
