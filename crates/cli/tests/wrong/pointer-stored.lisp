;; class: arguments
;; codes: E0309 E0309 E0309
(defstruct event (count u64))
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defmap plain :type :hash :key-size 4 :value-size 8 :max-entries 8)
(defmap events :type :hash :key u32 :value event :max-entries 8)
(defprog main (:type :xdp)
  (when-let ((count (map-lookup counts 5)) (e (map-lookup events 5)))
    (setf (getmap counts 1) count)
    (setf (getmap plain 1) (+ count 1))
    (setf (event-count e) count))
  XDP_PASS)
