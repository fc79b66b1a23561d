;;; Arguments of a raw tracepoint by the kernel's names: as its words, with the types that its BTF gives them.
;;; ctx: 1000000000000000 ffffffffffffffff
;;; result: 0
;;; out: 1 1 16
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (setf (getmap out 0) (< (arg id) 0)           ; `long id` is signed
        (getmap out 1) (= (arg id) (ctx args 1))
        (getmap out 2) (ctx args 0))
  0)
