;; class: other
;; codes: E0008 E0008 E0004 E0054
;; Five declarations are refused; nothing is said of the uses of what they would have declared.
(defstruct event (pid u32) (when uint64))
(defmap events :type :hash :key u32 :value event :max-entries 8)
(defsubprog twice ((x nothing)) u64 (* 2 x))
(defenum verdict 5)
(defconstant +limit+ (+ 1 'a))
(defprog main (:type :xdp)
  (let ((e (make-event)))
    (setf (event-pid e) (twice +limit+))
    (map-update events 1 e 0)
    (when (= (event-when e) (sizeof event))
      (return :drop)))
  XDP_PASS)
