;;; An address that is none reads as 0 of the process, and as an error by the helper.
;;; ctx: 0800000000000000 ffffffffffffffff
;;; result: 0
;;; out: 0 1 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((x u64 5) (address (ctx args 0)))
    (setf (getmap out 0) (user-load u64 address)
          (getmap out 1) (s< (probe-read-user (stack-addr x) 8 address) 0)
          (getmap out 2) (s< (probe-read-user-str (stack-addr x) 8 address) 0)
          (getmap out 3) x))
  0)
