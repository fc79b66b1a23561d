;;; `(load T p [off])`, `(store T p off v)`, `(ctx-load T off)`, `(ctx T off)`, `(ctx FIELD)`, `(ctx-ptr)`.
;;; packet: 1122334455667788
;;; out: 0x11 0x3322 0x55443322 1 1 1
;;; after: 1122aabb55667788
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((d (ctx-load u32 0)) (e (ctx data-end)))
    (when (> (+ d 14) e)
      (return XDP_DROP))
    (setf (getmap out 0) (load u8 d)
          (getmap out 1) (load u16 d 1)
          (getmap out 2) (load u32 d 1)
          (getmap out 3) (= (- e d) 64)
          (getmap out 4) (= (- (ctx u32 4) (ctx u32 0)) (- e d))
          (getmap out 5) (= (- (load u32 (ctx-ptr) 4) (load u32 (ctx-ptr) 0)) 64))
    (store u16 d 2 #xbbaa))
  XDP_PASS)
