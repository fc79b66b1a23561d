;; class: other
(defmacro twice (n) (if (= n 0) '(printk "x") `(progn (twice ,(- n 1)) (twice ,(- n 1)))))
(defprog main (:type :xdp)
  (twice 40)
  XDP_PASS)
