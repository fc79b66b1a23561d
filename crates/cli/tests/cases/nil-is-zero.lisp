;;; `nil` in arithmetic is 0, `t` is true, a comparison is 0 or 1 and can be added.
;;; packet: 05 03
;;; out: 5 2 1 0 1 3
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)))
      (setf (getmap out 0) (+ a nil)
            (getmap out 1) (+ (> a b) (/= a b) (< a b))
            (getmap out 2) (= nil 0)
            (getmap out 3) (= a nil)
            (getmap out 4) (if t 1 2)
            (getmap out 5) (* b (> a b)))))
  XDP_PASS)
