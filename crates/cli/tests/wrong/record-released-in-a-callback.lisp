;; class: reference
(defmap ring :type :ringbuf :max-entries 4096)

(defprog p (:type :xdp)
  (with-ringbuf (e ring 8)
    (store u64 e 0 1)
    (bpf-loop 3 (lambda (i)
                  (when (> i 1) (return XDP_DROP))
                  0)))
  XDP_PASS)
