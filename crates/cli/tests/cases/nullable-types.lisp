;;; A parameter of a nullable type takes what a lookup gives; the test is inside.
;;; packet: 02
;;; out: 9 0
(defstruct box (n u64))
(defmap m :type :array :key u32 :value box :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog content ((p (nullable (ptr box)))) u64
  (if p (box-n p) 0))
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (when-let ((p (map-lookup m (load u8 d 0))))
      (setf (box-n p) 9))
    (setf (getmap out 0) (content (map-lookup m (load u8 d 0)))
          (getmap out 1) (content (map-lookup m (+ 4 (load u8 d 0))))))
  XDP_PASS)
