;; class: arguments
;; codes: E0002 E0001
(defmap flows :type :hash :key u32 :value u64 :max-entries 8)
(defglobal sum u64 0)
(defsubprog add-one (_map _key value _ctx)
  (incf sum value)
  0)
(defun of-the-host (key value)
  (+ key value))
(defprog main (:type :xdp)
  (for-each-map-elem flows #'add-one 0 0)
  (for-each-map-elem flows #'of-the-host)
  XDP_PASS)
