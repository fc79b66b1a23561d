;; class: map-key-value
;; codes: E0202 E0202 E0202 E0202 E0202
(defstruct flow (src u32) (dst u32))
(defstruct pair (a u32) (b u32))
(defmap by-port :type :hash :key u16 :value u64 :max-entries 8)
(defmap by-flow :type :hash :key flow :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let ((k (make-pair)) (n (get-prandom-u32)))
    (getmap by-port n)
    (getmap by-port 70000)
    (getmap by-flow k)
    (getmap by-flow 7)
    (map-lookup by-flow n)
    XDP_PASS))
