;; class: arguments
;; codes: E0003 E0003 E0003
(defmap uids :type :hash :key u32 :value u64 :max-entries 16)
(defmap wide :type :hash :key u64 :value u64 :max-entries 16)
(defprog main (:type :kprobe :section "kprobe/do_nanosleep")
  (incf (getmap uids (-> (get-current-task-btf) cred uid)))
  (incf (getmap wide (-> (get-current-task-btf) cred gid)))
  (when (= (-> (get-current-task-btf) cred uid) 0) (return 0))
  (incf (getmap uids (-> (get-current-task-btf) cred uid val)))
  0)
