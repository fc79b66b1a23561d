;; class: return-range
(defprog main (:type :cgroup-sock-addr :section "cgroup/connect4")
  (ctx user_port))
