;; class: context-field
;; `sk` is not for cgroup device programs, and `data` not for socket filters.
(defprog main (:type :socket-filter)
  (if (= (load u8 (ctx data) 0) 1) 0 -1))
