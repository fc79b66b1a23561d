;;; A session's mistakes are reported when the function around it is defined, before anything runs.
;;; exit: 1
;;; out: before
;;; err: there is no variable or constant `pkt-cuont`
;;; err: session-errors-at-definition.lisp:15:
(format t "before~%")
(defun never-called ()
  (with-bpf-session ()
    (bpf:map pkt-count :type :array :key-size 4 :value-size 8 :max-entries 1)
    (bpf:prog count-it (:type :xdp)
      ;; Nobody calls this function, and it is wrong all the same.



      (incf (getmap pkt-cuont 0))
      XDP_PASS)
    (bpf:attach count-it "lo")))
(format t "not reached~%")
