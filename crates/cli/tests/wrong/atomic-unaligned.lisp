;; class: arguments
;; codes: E0205 E0205
(defstruct (wire :packed) (kind u8) (count u64))
(defmap bytes :type :array :key u32 :value (array u8 32) :max-entries 16)
(defmap wires :type :array :key u32 :value wire :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((v (map-lookup bytes 0)) (w (map-lookup wires 0)))
    (atomic-add v 3 5 u64)
    (atomic-incf (wire-count w)))
  XDP_PASS)
