;;; The arguments of a raw tracepoint.
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 7 -1 7
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (setf (getmap out 0) (ctx args 0)
        (getmap out 1) (ctx args 1)
        (getmap out 2) (ctx u64 0))
  0)
