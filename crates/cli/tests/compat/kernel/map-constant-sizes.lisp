;;; Numbers of a map may be constant expressions, `(sizeof S)` and `(* …)` among them; `:map-flags` by number.
;;; packet: 00
;;; out: 5 1
(defconstant +entries+ 8)
(defstruct rec (a u64) (b u32))
(defmap recs :type :hash :key-size (/ 8 2) :value-size (sizeof rec) :max-entries (* 2 +entries+) :map-flags 1)
(defmap ring :type :ringbuf :max-entries (* 4 1024))
(defmap out :type :array :key-size 4 :value-size 8 :max-entries (1+ +entries+))
(defprog main (:type :xdp)
  (let ((r (make-rec)))
    (setf (rec-b r) 5)
    (map-update recs 1 r 0)
    (when-let ((p (map-lookup recs 1)))
      (setf (getmap out 0) (rec-b p))))
  (setf (getmap out 1) (= (ringbuf-query ring 1) 4096))
  XDP_PASS)
