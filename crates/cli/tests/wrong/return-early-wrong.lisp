;; class: return-range
(defprog main (:type :cgroup-device :section "cgroup/dev")
  (when (= (ctx major) 1)
    (return -1))
  1)
