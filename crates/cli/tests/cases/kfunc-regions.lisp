;;; Regions that end by themselves, also when they are left early: RCU, preemption, interrupts.
;;; packet: 00
;;; target: 6.18
;;; out: 3 4 5 6 7
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog early ((x u64)) u64
  (with-rcu
    (with-preempt-disabled
      (when (> x 100) (return 6))))
  9)
(defprog main (:type :xdp)
  (setf (getmap out 0) (with-rcu 3)
        (getmap out 1) (with-preempt-disabled (with-preempt-disabled 4))
        (getmap out 2) (with-irqs-disabled 5)
        (getmap out 3) (early 101))
  (rcu-read-lock)
  (let ((x (getmap out 0)))
    (rcu-read-unlock)
    (setf (getmap out 4) (+ x 4)))
  XDP_PASS)
