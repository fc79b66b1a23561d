;;; `fill-process-info` sets the fields that are named; arrays of the process that are not there read as zeros.
;;; ctx: 0800000000000000 0300000000000000
;;; result: 0
;;; out: 1 1 1 1 3 0 4 6 0
(defstruct info (pid u32) (uid u32) (at u64) (comm (array char 16)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((i (make-info)) (n 0) (sum 0))
    (setf (info-uid i) 77)
    (fill-process-info i :pid-field info-pid :uid-field info-uid :timestamp-field info-at :comm-field info-comm-ptr)
    (setf (getmap out 0) (= (info-pid i) (ash (get-current-pid-tgid) -32))
          (getmap out 1) (= (info-uid i) (logand (get-current-uid-gid) #xffffffff))
          (getmap out 2) (> (info-at i) 0)
          (getmap out 3) (/= (info-comm i 0) 0))
    (do-user-ptrs (p (ctx args 0) (ctx args 1) 8)
      (incf n) (incf sum p))
    (setf (getmap out 4) n (getmap out 5) sum)
    (do-user-array (v u16 (ctx args 0) 9 4 :index k)
      (incf sum k))
    (do-user-array (v u16 (ctx args 0) 4 9)
      (incf n))
    (setf (getmap out 6) (- n 3) (getmap out 7) sum (getmap out 8) (info-comm i 15)))
  0)
