;;; Sets of processors, made and given back.
;;; prog: main
;;; target: 6.18
;;; result: 0
;;; out: 1 0 1 1 0 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :syscall)
  (with-reference (mask (cpumask-create))
    (setf (getmap out 0) (cpumask-empty mask))
    (cpumask-set-cpu 0 mask)
    (setf (getmap out 1) (cpumask-first mask))
    (setf (getmap out 2) (cpumask-weight mask)
          (getmap out 3) (cpumask-test-and-clear-cpu 0 mask)
          (getmap out 4) (cpumask-test-cpu 0 mask))
    (with-reference (other (cpumask-create))
      (cpumask-setall other)
      (setf (getmap out 5) (cpumask-subset mask other))))
  0)
