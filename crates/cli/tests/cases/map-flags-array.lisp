;;; The answers of updates to the flags 0 to 8, within the array and behind its end.
;;; packet: 00
;;; out: 0 -17 0 -22 -22 -17 -22 -22 -22 -7 -7 -7 -22 -7 -7 -7 -22 -22 0 -17 0 -22 -22 -17 -22 -22 -22 -7 -7 -7 -22 -7 -7 -7 -22 -22
(defmap m0 :type :array :key u32 :value u64 :max-entries 4)
(defmap m1 :type :percpu-array :key u32 :value u64 :max-entries 4)
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :xdp)
  (dotimes (i 9)
    (let ((f (cast u64 i)))
      (setf (getmap out (+ 0 i)) (map-update m0 1 7 f)
            (getmap out (+ 9 i)) (map-update m0 (cast u32 (+ i 9)) 7 f))
      (setf (getmap out (+ 18 i)) (map-update m1 1 7 f)
            (getmap out (+ 27 i)) (map-update m1 (cast u32 (+ i 9)) 7 f))
      0))
  XDP_PASS)
