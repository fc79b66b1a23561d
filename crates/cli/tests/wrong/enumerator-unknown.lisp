;; class: unknown-name
;; codes: E0001 E0008
(defprog p (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (enum-value bpf_map_type BPF_MAP_TYPE_RINGBUFF))

(defprog q (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (enum-value bpf_map_typ BPF_MAP_TYPE_RINGBUF))
