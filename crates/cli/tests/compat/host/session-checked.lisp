;;; `whistler check` finds the mistakes in a session, too, and does nothing of what it says.
;;; ways: check
;;; exit: 1
;;; err: there is no operator `ktime-get-nss` in programs
(defun main ()
  (with-bpf-session ()
    (bpf:map times :type :array :key-size 4 :value-size 8 :max-entries 1)
    (bpf:prog stamp (:type :xdp)
      (setf (getmap times 0) (ktime-get-nss))
      XDP_PASS)
    (bpf:attach stamp "lo")))
