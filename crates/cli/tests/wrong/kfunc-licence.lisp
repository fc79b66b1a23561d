;; class: gpl
;; flags: --target 6.18
(defprog main (:type :xdp :license "BSD")
  (with-rcu 2))
