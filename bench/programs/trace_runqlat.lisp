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

(defun task (pid &key (tgid pid) (state 0))
  "The address of a task."
  (kernel-object 'task_struct :pid pid :tgid tgid :__state state))

(defun wakeup (pid now) (run-prog on_wakeup nil :ctx (context :tp-btf (task pid)) :clock now))

(defun switch (prev next now) (run-prog on_switch nil :ctx (context :tp-btf 0 prev next 0) :clock now))

(defun slot-counts ()
  "The slots that are not zero, with what is in them."
  (loop for i below 26 unless (zerop (map-ref slots i)) collect (list i (map-ref slots i))))

(defun worst-now ()
  (let ((w (map-ref worst 0)))
    (list (worst-case-usecs w) (worst-case-pid w) (worst-case-tgid w))))

(deftest the-woken-are-queued
  (is (= (wakeup 7 1000) 0))
  (is (= (run-prog on_wakeup_new nil :ctx (context :tp-btf (task 8)) :clock 2000) 0))
  (is (= (map-ref queued 7) 1000))
  (is (= (map-ref queued 8) 2000))
  (wakeup 7 3000)
  (is (= (map-ref queued 7) 3000) "the last time counts")
  (run-prog on_wakeup_new nil :ctx (context :tp-btf (task 8 :tgid 1)) :clock 4000)
  (is (= (map-ref queued 8) 4000) "of the thread, not of its process")
  (is (= (map-count queued) 2)))

(deftest the-idle-task-is-not-queued
  (wakeup 0 1000)
  (run-prog on_wakeup_new nil :ctx (context :tp-btf (task 0)) :clock 1000)
  (switch (task 0) (task 0) 1000)
  (is (= (map-count queued) 0))
  (is (null (slot-counts))))

(deftest a-wait-is-counted
  (wakeup 7 1000000)
  (is (= (switch (task 1 :state 1) (task 7 :tgid 70) 1100000) 0))
  (is (equal (slot-counts) '((6 1))) "100 µs lie between 64 and 127")
  (is (= (map-count queued) 0) "it waits no more; who sleeps does not")
  (is (equal (worst-now) '(100 7 70))))

(deftest who-runs-on-waits-from-now-on
  (is (= (switch (task 1 :tgid 100) (task 7) 5000) 0))
  (is (= (map-ref queued 1) 5000))
  (is (= (map-count queued) 1))
  (switch (task 2 :state 1) (task 1) 15000)
  (is (equal (slot-counts) '((3 1))) "10 µs")
  (is (= (map-count queued) 0))
  (dolist (state '(1 2 4 #x80 #x402 #x80000000))
    (switch (task 3 :state state) (task 4) 1000)
    (is (= (map-count queued) 0))))

(deftest who-was-not-queued-does-not-count
  (switch (task 1 :state 1) (task 7) 5000)
  (is (null (slot-counts)))
  (is (equal (worst-now) '(0 0 0))))

(deftest switching-to-itself-takes-no-time
  (switch (task 7) (task 7) 9000)
  (is (equal (slot-counts) '((0 1))) "one reading of the clock serves all")
  (is (= (map-count queued) 0))
  (is (equal (worst-now) '(0 0 0)) "no wait is worse than none"))

(deftest slots-are-powers-of-two
  (flet ((waited (ns)
           (wakeup 7 1000)
           (switch (task 1 :state 1) (task 7) (+ 1000 ns))))
    (waited 0)
    (waited 1999)
    (is (equal (slot-counts) '((0 2))))
    (waited 2000)
    (waited 3999)
    (waited 4000)
    (is (equal (slot-counts) '((0 2) (1 2) (2 1))))
    (waited (* 1000 (1- (expt 2 25))))
    (is (= (map-ref slots 24) 1))
    (waited (* 1000 (expt 2 25)))
    (waited (* 1000 (expt 2 26)))
    (waited (* 1000 (expt 2 40)))
    (is (equal (slot-counts) '((0 2) (1 2) (2 1) (24 1) (25 3))) "the last one takes the rest")))

(deftest a-clock-that-went-back-counts-nothing
  (wakeup 7 5000)
  (is (= (switch (task 1 :state 1) (task 7) 4999) 0))
  (is (null (slot-counts)))
  (is (= (map-count queued) 0) "but the entry is gone")
  (is (equal (worst-now) '(0 0 0))))

(deftest the-worst-wait-is-kept
  (flet ((waited (pid tgid ns)
           (wakeup pid 1000)
           (switch (task 1 :state 1) (task pid :tgid tgid) (+ 1000 ns))))
    (waited 7 70 50000)
    (is (equal (worst-now) '(50 7 70)))
    (waited 8 80 50999)
    (is (equal (worst-now) '(50 7 70)) "as long is not longer")
    (waited 9 90 51000)
    (is (equal (worst-now) '(51 9 90)))
    (waited 7 70 2000)
    (is (equal (worst-now) '(51 9 90)))))
