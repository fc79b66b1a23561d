;;; `printk` writes a line for the trace pipe and gives its length.
;;; packet: 05
;;; out: 5 6
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp :license "GPL")
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (printk "x=%d y" (load u8 d 0)))
    (setf (getmap out 1) (trace-printk "z=%x " (+ #xabc (load u8 d 1)))))
  XDP_PASS)
