;;; A macro's own variables, made with `gensym`, never meet those of its user.
;;; packet: 05
;;; out: 25 5 30
(defmacro square (x)
  (let ((v (gensym "X")))
    `(let ((,v ,x)) (* ,v ,v))))
(defmacro both (x y)
  (let ((a (gensym)) (b (gensym)))
    `(let* ((,a ,x) (,b ,y)) (+ ,a ,b))))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (a 5) (b 25))
      (setf (getmap out 0) (square x)
            (getmap out 1) x
            (getmap out 2) (both b a))))
  XDP_PASS)
