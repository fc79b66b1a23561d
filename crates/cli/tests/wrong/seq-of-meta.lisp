;; class: arguments
;; codes: E0003
(defprog ps (:type :iter :section "iter/task" :license "GPL")
  (when-let ((task (arg task)))
    (seq-print (arg meta) "%6d" (-> task tgid)))
  0)
