;;; `(deftracepoint cat/event f…)`: `(tp-f)` reads a field, `(tp-f-ptr)` is the place of an array.
;;; ways: kernel
;;; out: t t
(deftracepoint sched/sched_switch prev_pid next_pid prev_comm)
(defmap seen :type :hash :key-size 4 :value-size 4 :max-entries 4096)
(defmap comm :type :array :key-size 4 :value-size 4 :max-entries 1)
(defprog on-switch (:type :tracepoint :section "tracepoint/sched/sched_switch")
  (map-update seen (tp-next-pid) (tp-prev-pid) 0)
  (setf (getmap comm 0) (load u32 (tp-prev-comm-ptr) 0))
  0)
(attach on-switch)
(loop repeat 100
      until (and (plusp (map-count seen)) (plusp (map-lookup-int comm 0)))
      do (sleep 0.02))
(format t "~a ~a~%" (plusp (map-count seen)) (plusp (map-lookup-int comm 0)))
