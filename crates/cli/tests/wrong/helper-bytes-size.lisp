;; class: object-bounds
;; codes: E0306 E0306 E0009 E0306
(defstruct event (bytes (array u8 64)))
(defmap out :type :ringbuf :max-entries 4096)
(defprog main (:type :xdp)
  (let ((e (make-event)))
    (ringbuf-output out e (ktime-get-ns))
    (ringbuf-output out e -1)
    (ringbuf-reserve out (ktime-get-ns))
    (trace-vprintk "short" 9 0 0))
  XDP_PASS)
