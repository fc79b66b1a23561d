;;; `do-user-ptrs` and `do-user-array` walk an array of the process, at most as many as stated; `:index`; what can't
;;; be read is 0.
;;; ctx: 0000000000000000 0300000000000000
;;; result: 0
;;; out: 3 3 6 2
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((base (ctx args 0)) (n (ctx args 1)))
    (do-user-ptrs (p base n 8 :index i)
      (incf (getmap out 0))
      (incf (getmap out 1) (+ p i)))
    (do-user-array (v u32 base n 8 :index i)
      (incf (getmap out 2) (+ v i 1)))
    (do-user-ptrs (p base n 2)
      (incf (getmap out 3) (+ p 1))))
  0)
