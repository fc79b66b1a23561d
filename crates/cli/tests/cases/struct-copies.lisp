;;; Setting a struct's field or an element to a struct copies its bytes; 0 clears it.
;;; packet: 01
;;; out: 5 6 5 0 6
(defstruct inner (x u16) (y u32))
(defstruct outer (a u8) (one inner) (all (array inner 2)))
(defglobal g outer)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((i (make-inner :x 5 :y 6)) (s (make-outer)))
    (setf (outer-one s) i
          (outer-all s 1) (outer-one s)
          (outer-all g 0) (outer-all s 1))
    (setf (inner-x i) 77)
    (setf (getmap out 0) (-> s one x)
          (getmap out 1) (-> s all 1 y)
          (getmap out 2) (-> g all 0 x))
    (setf (outer-one s) 0)
    (setf (getmap out 3) (-> s one y)
          (getmap out 4) (-> g all 0 y)))
  XDP_PASS)
