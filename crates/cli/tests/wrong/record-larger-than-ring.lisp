;; class: object-bounds
(defstruct event (bytes (array u8 4096)))
(defmap events :type :ringbuf :max-entries 4096)
(defprog main (:type :xdp)
  (with-ringbuf (e events (sizeof event))
    (memset e 0 0 64))
  XDP_PASS)
