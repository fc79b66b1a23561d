;;; expect: out[0] = ppid
;;; expect: out[1] = pid
;;; expect: out[2] = ppid
;;; expect: out[3] > 0
;; Chains through the kernel's structs: from the BTF task (direct loads) and from a plain address (probe reads).
(import-kernel-struct task_struct real_parent tgid)
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 4)

(defprog parent (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (when (= (ash (get-current-pid-tgid) -32) (getmap want 0))
    (let ((probed (as-task_struct (get-current-task))))
      (setf (getmap out 0) (-> (get-current-task-btf) real_parent tgid)
            (getmap out 1) (-> (get-current-task-btf) tgid)
            (getmap out 2) (-> probed real_parent tgid)))
    (incf (getmap out 3)))
  0)
