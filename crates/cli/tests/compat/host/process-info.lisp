;;; `fill-process-info` sets the fields that are named by their accessors.
;;; ways: kernel
;;; out: t 0 t whistler
(defstruct who (pid u32) (uid u32) (ts u64) (comm (array char 16)))
(defmacro me () (sb-posix:getpid))
(defmap out :type :array :key u32 :value who :max-entries 1)
(defprog on-stat (:type :tracepoint :section "tracepoint/syscalls/sys_enter_statx")
  (when (= (ash (get-current-pid-tgid) -32) (me))
    (when-let ((w (map-lookup out 0)))
      (fill-process-info w :pid-field who-pid :uid-field who-uid :timestamp-field who-ts
                           :comm-field who-comm-ptr :comm-size 16)))
  0)
(let ((link (attach-tracepoint on-stat "syscalls/sys_enter_statx")))
  (probe-file "/nowhere")
  (detach link))
(let ((w (map-ref out 0)))
  (format t "~a ~a ~a ~a~%" (= (me) (who-pid w)) (who-record-uid w) (plusp (who-record-ts w)) (who-record-comm w)))
