;;; expect: out[0] > 0
;;; expect: out[1] > 0
;;; expect: out[2] = 0
;;; expect: out[3] = pid
;; Trusted arguments of a BTF tracepoint.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 4)

(defprog on-switch (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (let ((ours (cast u32 (getmap want 0))))
    (when (= (-> (arg prev) tgid) ours)
      (incf (getmap out 0)))
    (when (= (-> (arg next) tgid) ours)
      (setf (getmap out 3) (-> (arg next) group_leader pid))
      (incf (getmap out 1)))
    (when (= (-> (arg prev) pid) (-> (arg next) pid))
      (incf (getmap out 2))))
  0)
