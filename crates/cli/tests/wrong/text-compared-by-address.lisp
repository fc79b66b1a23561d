;; class: other
;; codes: E0309 E0309 E0309
(defstruct name (c (array char 16)))
(defprog main (:type :kprobe :section "kprobe/vfs_unlink")
  (let ((comm (array char 16))
        (also (make-name)))
    (get-current-comm comm 16)
    (get-current-comm also 16)
    (when (= comm "bash") (return 1))
    (when (eq also "bash") (return 1))
    (when (= (memcmp comm "bash" 5) 0) (return 1))
    (when (= (-> (get-current-task-btf) comm) "bash") (return 1)))
  0)
