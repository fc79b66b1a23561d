;; class: arguments
;; codes: E0003 E0001 E0304
(defprog entered (:type :fentry :section "fentry/do_sys_openat2")
  (-> (arg dfd) flags)
  0)

(defprog switched (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (-> (arg next) no_such_field)
  0)

(defprog kept (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (setf (-> (arg next) pid) 1)
  0)
