;; class: unknown-name
;; codes: E0001 E0004
(defmap hits :type :array :key u32 :value u64 :max-entries 1)
(defmacro every-nth (n &body body)
  `(when (= (mod (get-prandom-u32) n) 0)
     ,body))
(defprog main (:type :xdp)
  (every-nth 10 (incf (getmap hits 0)))
  XDP_PASS)
