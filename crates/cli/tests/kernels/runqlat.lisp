;;; program: bench/programs/trace_runqlat.lisp
;;; seconds: 10
;;; check: runqlat
