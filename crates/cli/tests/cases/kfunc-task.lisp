;;; Kernel functions by their names: a task by its number, given back; nothing where there is none.
;;; packet: 00
;;; target: 6.18
;;; out: 1 1 7 0 1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((me (cast u32 (get-current-pid-tgid))))
    (when-let ((t1 (task-from-pid me)))
      (setf (getmap out 0) (= (-> t1 pid) me))
      (task-release t1))
    (setf (getmap out 1) (with-reference (t2 (bpf_task_from_pid me)) (= (-> t2 pid) me)))
    (setf (getmap out 2) (block b (with-reference (t3 (task-from-pid me)) (return-from b 7)) 8))
    (setf (getmap out 3) (with-reference (t4 (task-from-pid 4194305)) 9))
    (with-reference (t5 (task-from-pid me))
      (with-reference (t6 (task-acquire t5))
        (setf (getmap out 4) (= (-> t6 tgid) (-> t5 tgid)))))
    (with-reference (t7 (task-from-vpid me))
      (if (= (-> t7 pid) me)
          (task-release t7)
          (setf (getmap out 5) 99)))
    (setf (getmap out 5) 1))
  XDP_PASS)
