;; class: object-bounds
;; codes: E0306 E0306 E0306
(defstruct event (pid u32) (comm (array char 16)))
(defprog main (:type :raw-tracepoint)
  (let ((e (make-event)) (n u32 0))
    (get-current-comm (event-comm-ptr e) 32)
    (get-current-comm (stack-addr n) 16)
    (probe-read-kernel e 64 (get-current-task)))
  0)
