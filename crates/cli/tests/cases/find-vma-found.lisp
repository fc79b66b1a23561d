;;; The area of a process's stack, as the function that is called with it sees it.
;;; only: kernel: the pretended process has no areas
;;; ctx: 1000000000000000 ffffffffffffffff
;;; result: 0
;;; out: 0 1 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let* ((task (get-current-task-btf)) (stack (-> task mm start_stack)) (from u64 0) (to u64 0))
    (setf (getmap out 0)
          (find-vma task stack
                    (lambda (task vma)
                      (setf from (-> vma vm_start) to (-> vma vm_end))
                      0)
                    0))
    (setf (getmap out 1) (<= from stack)
          (getmap out 2) (< stack to)
          (getmap out 3) (= from to)))
  0)
