;;; Redirects through device, CPU and socket maps: without an entry, the action in the flags is what comes back.
;;; packet: 00
;;; out: 2 1 0 2 1
(defmap ports :type :devmap :key u32 :value u32 :max-entries 4)
(defmap hashed :type :devmap-hash :key u32 :value u32 :max-entries 4)
(defmap cpus :type :cpumap :key u32 :value u32 :max-entries 2)
(defmap socks :type :xskmap :key u32 :value u32 :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) (redirect-map ports 1 XDP_PASS)
        (getmap out 1) (redirect-map hashed 9 XDP_DROP)
        (getmap out 2) (redirect-map cpus 1 XDP_ABORTED)
        (getmap out 3) (redirect-map socks 2 XDP_PASS)
        (getmap out 4) (if (map-lookup ports 2) 0 1))
  XDP_PASS)
