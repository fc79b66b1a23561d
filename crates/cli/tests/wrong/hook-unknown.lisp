;; class: unknown-name
;; codes: E0001 E0012 E0012 E0012 E0001 E0012 E0012 E0012 W0018 W0018 W0018
(defprog entered (:type :fentry :section "fentry/do_sys_opnat2")
  (arg dfd)
  0)

(defprog probed (:type :kprobe :section "kprobe/do_sys_opnat2")
  (arg dfd)
  0)

(defprog switched (:type :tp-btf :section "tp_btf/sched_swich")
  (arg prev)
  0)

(defprog asked (:type :lsm :section "lsm/file_opn")
  (arg file)
  0)

(defprog woken (:type :raw-tracepoint :section "raw_tp/sched_wakup")
  (arg p)
  0)

(defprog walked (:type :iter :section "iter/tsk")
  (arg task)
  0)
