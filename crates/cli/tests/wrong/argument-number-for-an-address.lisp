;; class: arguments
;; codes: E0303 E0002 E0303
(defstruct st (drops u64) (passes u32))
(defmap stats :type :array :key u32 :value st :max-entries 1)
(deftracepoint syscalls/sys_enter_openat filename)
(defprog count (:type :xdp)
  (when-let ((s (map-lookup stats 0)))
    (atomic-add (st-passes s) 0 1)
    (atomic-add (st-passes s) 1))
  XDP_PASS)
(defprog on-open (:type :tracepoint :section "tracepoint/syscalls/sys_enter_openat")
  (if (= (load u8 (tp-filename)) 47) 1 0))
