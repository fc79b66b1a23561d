;;; expect: out[0] = 2
;;; expect: out[1] = children
;;; expect: out[2] = -100
;;; expect: out[3] = open-user-flags
;;; expect: out[4] = -2
;; Records of tracepoints: a string of variable length, and the arguments and the result of a system call.
(deftracepoint sched/sched_process_exec filename pid)
(deftracepoint syscalls/sys_enter_openat dfd filename flags)
(deftracepoint syscalls/sys_exit_openat ret)

(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 8)
(defmap missing :type :hash :key u64 :value u64 :max-entries 64)

(defstruct name-buffer (text (array char 64)))

(defprog on-exec (:type :tracepoint :section "tracepoint/sched/sched_process_exec" :license "GPL")
  (let ((name (make-name-buffer)))
    (when (= (-> (get-current-task-btf) real_parent tgid) (cast u32 (getmap want 0)))
      ;; The name ends in `wh-child`, and its length counts the final 0.
      (let ((n (tp-filename-str (name-buffer-text-ptr name) 64)))
        (when (and (> n 9)
                   (= (name-buffer-text name (logand 63 (- n 9))) #\w)
                   (= (name-buffer-text name (logand 63 (- n 2))) #\d))
          (incf (getmap out 1) (tp-pid))
          (incf (getmap out 0))))))
  0)

(defprog on-open (:type :tracepoint :section "tracepoint/syscalls/sys_enter_openat" :license "GPL")
  (when (= (ash (get-current-pid-tgid) -32) (getmap want 0))
    (let ((name (make-name-buffer)))
      (probe-read-user-str (name-buffer-text-ptr name) 64 (tp-filename))
      (when (= 0 (memcmp (name-buffer-text-ptr name) "/wh-missing" 12))
        (setf (getmap out 2) (cast i32 (tp-dfd))
              (getmap out 3) (cast i64 (tp-flags))
              (getmap missing (get-current-pid-tgid)) 1))))
  0)

(defprog on-opened (:type :tracepoint :section "tracepoint/syscalls/sys_exit_openat" :license "GPL")
  (when (= 1 (getmap missing (get-current-pid-tgid)))
    (setf (getmap out 4) (cast i64 (tp-ret)))
    (remmap missing (get-current-pid-tgid)))
  0)
