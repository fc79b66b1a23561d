;; class: reference
;; codes: E0501 E0501
(defmap ring :type :ringbuf :max-entries 4096)
(defsubprog maybe ((e (ptr u64)) (x u64)) void
  (if (> x 3) (ringbuf-submit e 0) (store u64 e 0 1)))
(defprog sends-some (:type :xdp)
  (when-let ((e (ringbuf-reserve ring 8 0)))
    (maybe e (ctx rx_queue_index)))
  XDP_PASS)
(defsubprog keeps () u64
  (let ((e (ringbuf-reserve ring 8 0)))
    (if e 1 0)))
(defprog forgets (:type :xdp)
  (if (= (keeps) 1) XDP_PASS XDP_DROP))
