;; class: program-size
;; flags: --target 4.19
(defglobal seen u64 0)
(defmacro times (n form)
  `(progn ,@(loop repeat n collect form)))
(defprog p (:type :xdp)
  (times 700 (setf seen (+ (* seen 3) (get-prandom-u32))))
  XDP_PASS)
