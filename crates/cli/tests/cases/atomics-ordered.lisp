;;; Loads and stores that order others, of every width: kernel 6.15 and instruction set v4.
;;; target: 6.18/v4
;;; packet: 00
;;; out: 200 60000 4000000000 -2 9 -3
(defstruct cell (n u64) (w u32) (h u16) (b u8) (s i8))
(defmap m :type :array :key u32 :value cell :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((p (map-lookup m 0)))
    (store-release u8 p 14 200)
    (store-release u16 p 12 60000)
    (store-release u32 p 8 4000000000)
    (store-release i64 p 0 -2)
    (setf (getmap out 0) (load-acquire u8 p 14)
          (getmap out 1) (load-acquire u16 p 12)
          (getmap out 2) (load-acquire u32 p 8)
          (getmap out 3) (load-acquire i64 p))
    (let ((x u64 9) (y i8 -3))
      (setf (getmap out 4) (load-acquire u64 (stack-addr x)))
      (store-release i8 p 15 y)
      (setf (getmap out 5) (cast i64 (load-acquire i8 p 15)))))
  XDP_PASS)
