;;; Fields of all widths and signs: writing cuts, reading extends, `setf` and `incf` yield what the field holds.
;;; packet: ff80ffff ffffffff
;;; out: 255 -1 65535 -32513 4294967295 -1 4 -128 3 9
(defstruct all
  (a u8) (b i8) (c u16) (f i16) (g u32) (h i32) (i u64) (j i64))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (make-all)) (x (load u32 d 0)) (y (load u64 d 0)))
      (setf (all-a s) x
            (all-b s) x
            (all-c s) (>> x 16)
            (all-f s) x
            (all-g s) (>> y 32)
            (all-h s) (>> y 32))
      (setf (getmap out 0) (all-a s)
            (getmap out 1) (all-b s)
            (getmap out 2) (all-c s)
            (getmap out 3) (all-f s)
            (getmap out 4) (all-g s)
            (getmap out 5) (all-h s)
            (getmap out 6) (incf (all-a s) 5)
            (getmap out 7) (setf (all-b s) 128)
            (getmap out 8) (decf (all-a s))
            (getmap out 9) (incf (all-i s) 9))))
  XDP_PASS)
