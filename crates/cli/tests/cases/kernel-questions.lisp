;;; What a program asks of the kernel it runs on, where the answer is the same on every kernel.
;;; ctx: 1000000000000000 ffffffffffffffff
;;; result: 0
;;; out: 1 4 1 1 27 1 1 1
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (setf (getmap out 0) (field-exists? task_struct pid)
        (getmap out 1) (field-size task_struct pid)
        (getmap out 2) (type-exists? task_struct)
        (getmap out 3) (> (type-id task_struct) 0)
        (getmap out 4) (enum-value bpf_map_type BPF_MAP_TYPE_RINGBUF)
        (getmap out 5) (enum-value-exists? bpf_map_type BPF_MAP_TYPE_HASH)
        (getmap out 6) (type-matches? task_struct pid comm)
        (getmap out 7) (> (type-id-local task_struct) 0))
  0)
