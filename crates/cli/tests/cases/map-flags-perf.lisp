;;; The answers of `perf-event-output` to flags.
;;; packet: 00
;;; out: -7 -7 -7 -7 -7 -7 -7 0 0 -22 -14
(defmap p :type :perf-event-array :key u32 :value u32 :max-entries 2)
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :xdp)
  (let ((x u64 1))
    (dotimes (i 7)
      (setf (getmap out i) (perf-event-output (ctx-ptr) p (cast u64 (+ i 2)) (stack-addr x) 8)))
    (setf (getmap out 9) (perf-event-output (ctx-ptr) p (ash 1 60) (stack-addr x) 8)
          (getmap out 10) (perf-event-output (ctx-ptr) p (logior BPF_F_CURRENT_CPU (ash 5000 32)) (stack-addr x) 8)))
  XDP_PASS)
