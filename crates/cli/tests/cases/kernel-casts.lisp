;;; The context as the kernel's own struct, and an address as a pointer that is read directly.
;;; packet: 00
;;; target: 6.18
;;; only: kernel (the machine has no xdp_buff)
;;; out: 1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((x (kernel-ctx)))
    (setf (getmap out 0) (> (cast u64 (-> x data)) 0)))
  (let ((task (rdonly-cast (get-current-task) task_struct)))
    (setf (getmap out 1) (= (-> task pid) (cast u32 (get-current-pid-tgid)))))
  XDP_PASS)
