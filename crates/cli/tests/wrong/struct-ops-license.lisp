;; class: gpl
(defprog my-undo (:type :struct-ops :section "struct_ops/undo_cwnd" :license "MIT")
  (-> (tcp-sk (arg sk)) snd_cwnd))
