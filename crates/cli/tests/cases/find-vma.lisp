;;; The area of a process's memory that an address lies in: none at the first page.
;;; ctx: 1000000000000000 ffffffffffffffff
;;; result: 0
;;; out: -2 0
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((found u64 0))
    (setf (getmap out 0) (find-vma (get-current-task-btf) 4096 (lambda (task vma) (setf found 1) 0) 0)
          (getmap out 1) found))
  0)
