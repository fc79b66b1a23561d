;;; Compiling a file runs its top-level host forms; `(compile-to-elf "x")` at the end names the object.
;;; ways: check
(in-package #:whistler)
(defmap Pkt-Count :type :array :key-size 4 :value-size 8 :max-entries 1)
(defprog Count-Xdp (:type :xdp) (incf (getmap pkt-count 0)) XDP_PASS)
(format *error-output* "running~%")
(compile-to-elf "named.bpf.o")
