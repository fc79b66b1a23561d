;;; prints: fields 1 0 1 4
;;; prints: types 1 0 1 t
;;; prints: enums 27 1 0
;;; prints: shapes 1
;; What a program asks of the kernel it runs on.
(defmap out :type :array :key u32 :value u64 :max-entries 16)

(defprog asks (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (setf (getmap out 0) (field-exists? task_struct pid)
        (getmap out 1) (field-exists? task_struct no_such_field)
        (getmap out 2) (field-exists? task_struct thread_info flags)
        (getmap out 3) (field-size task_struct pid)
        (getmap out 4) (type-exists? task_struct)
        (getmap out 5) (type-exists? no_such_struct)
        (getmap out 6) (type-exists? pid_t)
        (getmap out 7) (> (type-id task_struct) 0)
        (getmap out 8) (enum-value bpf_map_type BPF_MAP_TYPE_RINGBUF)
        (getmap out 9) (enum-value-exists? bpf_map_type BPF_MAP_TYPE_HASH)
        (getmap out 10) (enum-value-exists? bpf_map_type BPF_MAP_TYPE_NEVER)
        (getmap out 11) (type-matches? task_struct pid comm real_parent mm))
  0)

(run-prog asks)
(flet ((o (i) (map-ref out i)))
  (format t "fields ~a ~a ~a ~a~%" (o 0) (o 1) (o 2) (o 3))
  (format t "types ~a ~a ~a ~a~%" (o 4) (o 5) (o 6) (= 1 (o 7)))
  (format t "enums ~a ~a ~a~%" (o 8) (o 9) (o 10))
  (format t "shapes ~a~%" (o 11)))
