;; class: not-allowed
;; flags: --target 5.4
(defmap ring :type :ringbuf :max-entries 4096)
