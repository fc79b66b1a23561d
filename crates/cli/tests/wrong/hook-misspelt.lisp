;; class: unknown-name
;; codes: E0001 E0001 E0001 W0018
(defprog first (:type :fentry :section "fentry/tcp_conect" :license "GPL") 0)
(defprog second (:type :lsm :section "lsm/file_opened" :license "GPL") 0)
(defprog third (:type :lsm :section "lsm/nothing_like_any_hook_there_is" :license "GPL") 0)
;; Any of these may be there in a module or another kernel.
(defprog fourth (:type :fentry :section "fentry/some_module:its_function" :license "GPL") 0)
(defprog fifth (:type :fentry :section "fentry/zzqqxx_of_no_kernel_at_all" :license "GPL") 0)
