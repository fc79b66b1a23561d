;;; Helpers by their names: with values, pointers and results.
;;; packet: 00
;;; out: 1 1 1
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((a (ktime-get-ns)) (b (ktime-get-ns)))
    (setf (getmap out 0) (>= b a)
          (getmap out 1) (< (get-smp-processor-id) 4096)
          (getmap out 2) (<= (get-prandom-u32) #xffffffff)))
  XDP_PASS)
