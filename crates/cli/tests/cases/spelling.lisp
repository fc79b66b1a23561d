;;; Package prefixes, case and `-` against `_` make no difference to what a name means.
;;; packet: 05
;;; out: 5 6 1
(in-package #:whistler)
(defmap OUT :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (whistler:with-packet (d e :min-len 64)
    (LET ((X (load u8 d 0)))
      (setf (getmap out 0) x
            (getmap out 1) (1+ X)
            (getmap out 2) (>= (ktime_get_ns) 0))))
  xdp_pass)
