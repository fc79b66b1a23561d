;;; Objects that lie in other objects of the kernel's: chains go on from their addresses, and kernel functions take them.
;;; packet: 00
;;; target: 6.18
;;; out: 1 1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-reference (task (task-from-pid (cast u32 (get-current-pid-tgid))))
    (let ((se (-> task se)) (info (-> task sched_info)))
      (setf (getmap out 0) (= (-> se exec_start) (-> task se exec_start))
            (getmap out 1) (= (-> info pcount) (-> task sched_info pcount))
            (getmap out 2) (= (-> (-> se avg) load_avg) (-> task se avg load_avg)))))
  XDP_PASS)
