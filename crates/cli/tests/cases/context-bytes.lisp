;;; The context's bytes by offset, by pointer, and as a kernel struct's field.
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 7 -1 0xffffffff 7 0xffff
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((c (ctx-ptr)))
    (setf (getmap out 0) (ctx-load u64 0)
          (getmap out 1) (ctx-load u64 8)
          (getmap out 2) (logand (ctx-load u64 8) #xffffffff)
          (getmap out 3) (load u64 c 0)
          (getmap out 4) (logand (load u64 c 8) #xffff)))
  0)
