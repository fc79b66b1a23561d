;; class: program-size
;; flags: --target 4.19
(defmap seen :type :array :key u32 :value u64 :max-entries 1)
(defmacro times (n form)
  `(progn ,@(loop repeat n collect form)))
(defsubprog mix ((x u64)) u64 :global t
  (times 500 (setf x (+ (* x 3) (get-prandom-u32))))
  x)
(defsubprog more ((x u64)) u64 :global t
  (times 500 (setf x (logxor (* x 5) (get-prandom-u32))))
  x)
(defprog p (:type :xdp)
  (setf (getmap seen 0) (+ (mix 1) (more 2)))
  XDP_PASS)
