;; class: unknown-name
;; codes: E0051 E0051
;; What does not follow from it is reported as well, what follows is not.
(defprg main (:type :xdp)
  (ktime-get-ns))
(defmpa counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog other (:type :xdp)
  (incf (getmap counts 1))
  XDP_PASS)
