;; class: return-range
;; codes: E0407
;; flags: --target 6.12
(defprog no-open (:type :lsm :section "lsm/file_open")
  (when (= (logand (get-current-uid-gid) #xffffffff) 4242) (return EPERM))
  0)
