;;; A histogram of the time that tasks wait on a run queue: the counterpart of trace_runqlat.bpf.c.

(defconstant +max-slot+ 25)

(defstruct worst-case (usecs u64) (pid u32) (tgid u32))

(defmap queued :type :hash :key u32 :value u64 :max-entries 10240)
(defmap slots :type :array :key u32 :value u64 :max-entries 26)
(defmap worst :type :array :key u32 :value worst-case :max-entries 1)

(defmacro enqueue (task now)
  `(let ((pid (cast u32 (-> ,task pid))))
     (unless (zerop pid)
       (setf (getmap queued pid) ,now))))

(defprog on_wakeup (:type :tp-btf :section "tp_btf/sched_wakeup" :license "GPL")
  (enqueue (arg p) (ktime-get-ns))
  0)

(defprog on_wakeup_new (:type :tp-btf :section "tp_btf/sched_wakeup_new" :license "GPL")
  (enqueue (arg p) (ktime-get-ns))
  0)

(defprog on_switch (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (let ((now (ktime-get-ns))
        (prev (arg prev))
        (next (arg next)))
    (when (zerop (-> prev __state))
      (enqueue prev now))
    (let ((pid (cast u32 (-> next pid))))
      (when-let ((since (map-lookup queued pid)))
        (let ((delta (cast i64 (- now (deref since)))))
          (map-delete queued pid)
          (when (>= delta 0)
            (let ((usecs (/ (cast u64 delta) 1000)))
              (incf (getmap slots (min (log2 usecs) +max-slot+)))
              (let ((w (map-lookup worst 0)))
                (when (and w (> usecs (worst-case-usecs w)))
                  (setf (worst-case-usecs w) usecs
                        (worst-case-pid w) pid
                        (worst-case-tgid w) (cast u32 (-> next tgid)))))))))))
  0)
