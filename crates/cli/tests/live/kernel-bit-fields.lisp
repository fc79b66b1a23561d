;;; prints: (t 0 1)
;;; prints: (t 0 1)
;; Bit-fields of a kernel struct, read directly through a trusted pointer and by a probe. The test's own process takes
;; in orphans, so this one, its child, has the mark, and not the other that lies beside it.
(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defprog direct (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((s (-> (get-current-task-btf) signal)))
    (setf (getmap out 0) (-> s is_child_subreaper)
          (getmap out 1) (-> s has_child_subreaper)))
  0)

(import-kernel-struct task_struct signal pid)
(defprog probed (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((s (task_struct-signal (as-task_struct (get-current-task)))))
    (setf (getmap out 2) (-> s is_child_subreaper)
          (getmap out 3) (-> s has_child_subreaper)))
  0)

(setf (map-ref out 0) 7 (map-ref out 1) 7 (map-ref out 2) 7 (map-ref out 3) 7)
(format t "~s~%" (list (eql 0 (run-prog direct)) (map-ref out 0) (map-ref out 1)))
(format t "~s~%" (list (eql 0 (run-prog probed)) (map-ref out 2) (map-ref out 3)))
