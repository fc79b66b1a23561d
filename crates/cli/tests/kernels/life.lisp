;;; program: bench/programs/trace_proc_life.lisp
;;; seconds: 10
;;; check: life
