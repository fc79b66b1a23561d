;; class: object-bounds
;; codes: E0306 E0306 E0306
(defstruct small (a u16))
(defmap flows :type :hash :key u64 :value small :max-entries 4)
(defprog main (:type :xdp)
  (let ((k u32 0) (v u8 0) (s (make-small)))
    (map-lookup-elem flows (stack-addr k))
    (map-update-elem flows s s)
    (map-delete-elem flows (stack-addr v)))
  XDP_PASS)
