;; class: address-leak
;; flags: --unprivileged
(defstruct note (where u64))
(defmap notes :type :hash :key u32 :value note :max-entries 2)
(defprog main (:type :socket-filter)
  (let ((n (make-note)))
    (setf (note-where n) (cast u64 (ctx-ptr)))
    (map-update notes 1 n 0))
  0)
