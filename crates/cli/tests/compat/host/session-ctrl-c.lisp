;;; A session waits for Ctrl-C with `handler-case` and `sb-sys:interactive-interrupt`, and writes to `*error-output*`.
;;; out: done
;;; err: Press Ctrl-C
(handler-case
    (with-bpf-session ()
      (bpf:map m :type :array :key-size 4 :value-size 8 :max-entries 1)
      (bpf:prog p (:type :xdp) XDP_PASS)
      (format *error-output* "Press Ctrl-C~%")
      ;; As the terminal's Ctrl-C does it.
      (error 'sb-sys:interactive-interrupt))
  (sb-sys:interactive-interrupt ()
    (format t "done~%")))
