;; class: unknown-name
;; codes: E0008 E0001 E0001 E0008
(import-kernel-enum bpf_map_typ)
(import-kernel-enum bpf_map_type BPF_MAP_TYPE_RINGBUFF)
(defprog p (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (+ (enum-value bpf_map_type BPF_MAP_TYPE_HASHH) (enum-value no_such_enum X)))
