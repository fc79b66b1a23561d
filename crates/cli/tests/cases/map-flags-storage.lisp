;;; The answers of a task's storage to the flags 0 to 8: with nothing stored, and with something.
;;; result: 0
;;; ctx: 00000000000000000000000000000000
;;; out: 0 1 0 0 0 0 0 0 0 -2 0 -2 -2 -2 -2 -2 -2 -2 1 1 0 0 0 0 0 0 0
(defmap m :type :task-storage :key u32 :value u64)
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let ((task (get-current-task-btf)))
    (dotimes (i 9)
      (let ((f (cast u64 i)))
        (task-storage-delete m task)
        (setf (getmap out i) (if (task-storage-get m task nil f) 1 0))
        (setf (getmap out (+ 9 i)) (task-storage-delete m task))
        (when-let ((p (task-storage-get m task nil BPF_LOCAL_STORAGE_GET_F_CREATE))) (setf (deref p) 1))
        (setf (getmap out (+ 18 i)) (if (task-storage-get m task nil f) 1 0)))))
  0)
