;;; A value that belongs to the current task.
;;; prog: main
;;; ctx: 00000000000000000000000000000000
;;; out: 5 6 1 0
;;; result: 0
(defstruct seen (n u64) (flag u32))
(defmap per-task :type :task-storage :key u32 :value seen)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((task (get-current-task-btf)))
    (when-let ((s (task-storage-get per-task task 0 BPF_LOCAL_STORAGE_GET_F_CREATE)))
      (setf (seen-n s) 5)
      (setf (getmap out 0) (seen-n s)))
    (when-let ((s (task-storage-get per-task task nil 0)))
      (incf (seen-n s))
      (setf (getmap out 1) (seen-n s)
            (getmap out 2) 1))
    (setf (getmap out 3) (task-storage-delete per-task task)))
  0)
