;; class: unknown-name
(defstruct cell (n u64) (timer bpf-timer))
(defmap cells :type :array :key u32 :value cell :max-entries 2)
(defprog p (:type :xdp)
  (let ((count 0))
    (when-let ((c (map-lookup cells 0)))
      (timer-set-callback (cell-timer-ptr c) cells (lambda (k v) (incf count)))))
  XDP_PASS)
