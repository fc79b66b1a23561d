;;; `when-let` and `if-let` with and without a type; several bindings, each tested.
;;; packet: 00
;;; out: 0 11 5 0 3 0
(defmap m :type :hash :key-size 4 :value-size 8 :max-entries 4)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) (if-let (p (map-lookup m 1)) 1 0))
  (map-update m 1 11 0)
  (setf (getmap out 1) (if-let (p (map-lookup m 1)) (load u64 p 0) 0))
  (when-let ((x u32 5) (p (map-lookup m 1)))
    (setf (getmap out 2) x))
  (when-let ((x u32 0) (p (map-lookup m 1)))
    (setf (getmap out 3) 99))
  (setf (getmap out 4) (if-let (x u8 #x103) x 77))
  (setf (getmap out 5) (if-let (x u8 #x100) 77 0))
  XDP_PASS)
