;;; Helpers by their names, with values and pointers as arguments, their results typed.
;;; packet: 00
;;; out: 1 1 1 0 1
(defstruct text (bytes (array char 16)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((a (ktime-get-ns)) (b (ktime-get-boot-ns)))
    (setf (getmap out 0) (> a 0)
          (getmap out 1) (>= b 0)
          (getmap out 2) (< (get-smp-processor-id) 1024)
          (getmap out 3) (>> (get-prandom-u32) 32)
          (getmap out 4) (> (jiffies64) 0)))
  XDP_PASS)
