;;; Aggregations in programs that count what the kernel is traced at.
;;; only: vm the kernel has no test run for these

(defun total (x) (if (vectorp x) (reduce #'+ x) x))

(defmap by-type :type :percpu-hash :key u32 :value u64 :max-entries 8)
(defprog in-tracepoint (:type :tracepoint :section "tracepoint/sched/sched_switch") (count! by-type 5) 0)
(defprog in-probe (:type :kprobe :section "kprobe/do_nanosleep") (sum! by-type 6 (pt-regs-parm1)) 0)

(deftest in-a-tracepoint
  (run-prog in-tracepoint nil :ctx (context :tracepoint "sched/sched_switch" :prev-pid 1))
  (is (= (total (map-ref by-type 5)) 1)))

(deftest in-a-probe
  (run-prog in-probe nil :ctx (context :kprobe :parm1 44))
  (is (= (total (map-ref by-type 6)) 44)))
