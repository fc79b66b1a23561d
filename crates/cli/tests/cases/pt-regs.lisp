;;; The registers of a probed function: its arguments, its result, its stack and instruction pointers.
;;; only: vm kprobes can't be test-run
;;; ctx: 0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000 0600000000000000 0700000000000000 0800000000000000 0900000000000000 0a00000000000000 0b00000000000000 0c00000000000000 0d00000000000000 0e00000000000000 0f00000000000000 1000000000000000 1100000000000000 1200000000000000 1300000000000000 1400000000000000 1500000000000000
;;; result: 0
;;; out: 15 14 13 12 10 9 11 20 17
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :kprobe :section "kprobe/do_mmap" :license "GPL")
  (setf (getmap out 0) (pt-regs-parm1)
        (getmap out 1) (pt-regs-parm2)
        (getmap out 2) (pt-regs-parm3)
        (getmap out 3) (pt-regs-parm4)
        (getmap out 4) (pt-regs-parm5)
        (getmap out 5) (pt-regs-parm6)
        (getmap out 6) (pt-regs-ret)
        (getmap out 7) (pt-regs-sp)
        (getmap out 8) (pt-regs-ip))
  0)
