;;; Chains through the kernel's structs: elements of arrays by numbers and by variables, pointers to pointers, structs
;;; within arrays, unions, anonymous members, pointers to functions, anonymous structs.
;;; only: kernel the machine has no files and no classes of schedulers
;;; ctx: 0700000000000000 ffffffffffffffff
;;; result: 0
;;; out: 1 1 1 1 1 1 1 1 1 1 1 1
(import-kernel-struct task_struct comm thread sched_class files cpus_mask)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter" :license "GPL")
  (let* ((task (get-current-task-btf)) (far (as-task-struct (get-current-task)))
         (name u64 0) (i (logand (get-smp-processor-id) 1)) (file (-> task files fdt fd 1)))
    (get-current-comm (stack-addr name) 8)
    (setf (getmap out 0) (= (-> task comm 1) (logand (ash name -8) 255))
          (getmap out 1) (= (task-struct-comm far 2) (logand (ash name -16) 255))
          (getmap out 2) (= (-> task comm i) (logand (>> name (* 8 i)) 255))
          (getmap out 3) (= (task-struct-comm far i) (-> far comm i))
          ;; A `struct file **`, by a number and by a variable.
          (getmap out 4) (/= 0 (-> file f_inode i_ino))
          (getmap out 5) (= (-> task files fdt fd i f_mode) (-> far files fdt fd i f_mode))
          ;; A pointer to a function, as a number.
          (getmap out 6) (> (cast u64 (-> task sched_class enqueue_task)) #xffff800000000000)
          (getmap out 7) (= (-> task sched_class enqueue_task) (-> far sched_class enqueue_task))
          ;; Structs in an array: by a number the kernel's offset of the whole way, by a variable its size of one.
          (getmap out 8) (= (-> task thread tls_array 1 limit0) (-> far thread tls_array 1 limit0))
          (getmap out 9) (= (-> task thread tls_array i type) (-> far thread tls_array i type))
          ;; A member of a union in an anonymous struct; an array at the end of a chain of structs.
          (getmap out 10) (= (-> file f_inode i_nlink) (-> file f_inode __i_nlink))
          (getmap out 11) (/= 0 (-> task cpus_mask bits 0))))
  0)
