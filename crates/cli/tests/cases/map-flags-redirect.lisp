;;; The answers of `redirect-map` to the flags 0 to 8 for entries that are not there, and of `redirect`: of map types only
;;; those of devices have more flags than the action.
;;; packet: 00
;;; out: 0 1 2 3 0 0 0 0 4 0 1 2 3 0 0 0 0 4 0 1 2 3 0 0 0 0 0 0 1 2 3 0 0 0 0 0 4 0 0 0 0 0 0 0 0
(defmap devs :type :devmap :key u32 :value u32 :max-entries 4)
(defmap hashed :type :devmap-hash :key u32 :value u32 :max-entries 4)
(defmap cpus :type :cpumap :key u32 :value u32 :max-entries 4)
(defmap sockets :type :xskmap :key u32 :value u32 :max-entries 4)
(defmap out :type :array :key u32 :value i64 :max-entries 64)
(defprog main (:type :xdp)
  (dotimes (i 9)
    (let ((f (cast u64 i)))
      (setf (getmap out i) (redirect-map devs 3 f)
            (getmap out (+ 9 i)) (redirect-map hashed 77 f)
            (getmap out (+ 18 i)) (redirect-map cpus 1 f)
            (getmap out (+ 27 i)) (redirect-map sockets 1 f)
            (getmap out (+ 36 i)) (redirect 1 f))))
  XDP_PASS)
