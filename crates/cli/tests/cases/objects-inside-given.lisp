;;; A set of processors that lies in a task is given to a kernel function, which takes it by its type and place.
;;; prog: main
;;; target: 6.18
;;; only: kernel which processors a task may run on, no virtual machine knows
;;; result: 0
;;; out: 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :syscall)
  (with-reference (task (task-from-pid (cast u32 (get-current-pid-tgid))))
    (let ((mask (-> task cpus_mask)))
      (setf (getmap out 0) (>= (bpf-cpumask-weight mask) 1))))
  0)
