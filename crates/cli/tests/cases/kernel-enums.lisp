;;; Enumerators of the kernel stand by their names for what the running kernel numbers them.
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 27 2 1 1 0 1
(import-kernel-enum bpf_map_type BPF_MAP_TYPE_RINGBUF BPF_MAP_TYPE_ARRAY)
(import-kernel-enum pid-type)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((i (- BPF_MAP_TYPE_ARRAY 1)))
    (setf (getmap out 0) BPF_MAP_TYPE_RINGBUF
          (getmap out 1) bpf-map-type-array
          (getmap out 2) i
          (getmap out 3) PIDTYPE_TGID
          (getmap out 4) (= PIDTYPE_PID PIDTYPE_SID)
          (getmap out 5) (= BPF_MAP_TYPE_RINGBUF (enum-value bpf_map_type BPF_MAP_TYPE_RINGBUF))))
  0)
