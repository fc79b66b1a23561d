;; class: null
;; The macro is right, what it is used on is not: the user's form is shown.
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defmacro bump (map key)
  `(let ((p (map-lookup ,map ,key)))
     (store u64 p 0 (+ 1 (load u64 p 0)))))
(defprog main (:type :xdp)
  (bump counts 7)
  XDP_PASS)
