;;; A struct within a struct by the chain form, and the address of a field.
;;; packet: 0a 0b
;;; out: 10 11 11 21 12
(defstruct point (x u32) (y u32))
(defstruct line (a point) (b point))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let* ((l (make-line)) (p (line-b-ptr l)))
      (setf (-> l a x) (load u8 d 0)
            (-> l b y) (load u8 d 1))
      (setf (getmap out 0) (-> l a x)
            (getmap out 1) (-> l b y)
            (getmap out 2) (point-y p))
      (incf (point-y p) 10)
      (setf (getmap out 3) (-> l b y)
            (getmap out 4) (- (load u32 l 12) 9))))
  XDP_PASS)
