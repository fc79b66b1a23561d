;; class: map-key-value
(defmap by-pid :type :hash :key u32 :value u64 :max-entries 1024)
(defprog main (:type :tracepoint :section "tracepoint/syscalls/sys_exit_write")
  (incf (getmap by-pid (get-current-pid-tgid)))
  0)
