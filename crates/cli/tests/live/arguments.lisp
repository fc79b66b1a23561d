;;; prints: typed t t
;;; prints: words t t
;; Arguments by the kernel's names: of a BTF tracepoint (trusted pointers) and of a raw one (probe reads).
(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defprog typed (:type :tp-btf :section "tp_btf/sched_switch")
  (when (= (-> (arg prev) pid) (-> (arg next) pid)) (incf (getmap out 1)))
  (incf (getmap out 0))
  0)

(defprog words (:type :raw-tracepoint :section "raw_tp/sched_switch")
  (when (= (-> (arg prev) pid) (-> (arg next) pid)) (incf (getmap out 3)))
  (incf (getmap out 2))
  0)

(attach typed)
(attach words)
(dotimes (i 20) (sleep 0.01))
;; Every switch is from one task to another.
(format t "typed ~a ~a~%" (> (map-ref out 0) 5) (= 0 (map-ref out 1)))
(format t "words ~a ~a~%" (> (map-ref out 2) 5) (= 0 (map-ref out 3)))
