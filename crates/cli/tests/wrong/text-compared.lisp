;; class: arguments
(defstruct task (comm (array char 16)))
(defmap tasks :type :hash :key u32 :value task :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((b (map-lookup tasks 5)))
    (when (= (task-comm b) "bash") (return XDP_DROP)))
  XDP_PASS)
