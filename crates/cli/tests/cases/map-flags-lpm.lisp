;;; The answers of updates to the flags 0 to 8, for a prefix that is there, one that is not, and a length that can't be.
;;; packet: 00
;;; out: 0 -17 0 -22 -22 -22 -22 -22 -22 0 0 -2 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22 -22
(defstruct prefix (len u32) (addr (array u8 4)))
(defmap m :type :lpm-trie :key prefix :value u64 :max-entries 4 :map-flags BPF_F_NO_PREALLOC)
(defmap out :type :array :key u32 :value i64 :max-entries 256)
(defprog main (:type :xdp)
  (let ((there (make-prefix :len 8)) (absent (make-prefix :len 9)) (wrong (make-prefix :len 40)))
    (dotimes (i 9)
      (let ((f (cast u64 i)))
        (setf (getmap m there) 5)
        (map-delete m absent)
        (setf (getmap out i) (map-update m there 7 f)
              (getmap out (+ 9 i)) (map-update m absent 7 f)
              (getmap out (+ 18 i)) (map-update m wrong 7 f)
              (getmap out (+ 27 i)) (map-delete m wrong)))))
  XDP_PASS)
