;; class: other
(defmap config :type :array :key u32 :value u32 :max-entries 1)
(setf (getmap config 0) 7)
(defprog main (:type :xdp)
  (if (= (getmap config 0) 7) XDP_DROP XDP_PASS))
