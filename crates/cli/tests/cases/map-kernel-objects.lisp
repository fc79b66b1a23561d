;;; Maps of stacks and cgroups: a stack is kept under its number; a cgroup that is not there is no ancestor.
;;; prog: main
;;; ctx: 00000000000000000000000000000000
;;; result: 0
;;; out: 1 1
(defmap stacks :type :stack-trace :key u32 :value (array u64 32) :max-entries 64)
(defmap groups :type :cgroup-array :max-entries 2)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (setf (getmap out 0) (if (>= (get-stackid (ctx-ptr) stacks 0) 0) 1 0)
        (getmap out 1) (if (minusp (current-task-under-cgroup groups 1)) 1 0))
  0)
