;;; A string literal is constant bytes with a NUL behind them; it is compared, copied and read like any memory.
;;; packet: 68690000
;;; out: 104 0 1 0 105
(defstruct name (text (array char 8)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((n (make-name)))
      (memcpy (name-text n) 0 d 0 4)
      (setf (getmap out 0) (load u8 "hi" 0)
            (getmap out 1) (load u8 "hi" 2)
            (getmap out 2) (= (memcmp (name-text n) "hi" 3) 0)
            (getmap out 3) (= (memcmp (name-text n) "ho" 3) 0)
            (getmap out 4) (aref (name-text n) 1))))
  XDP_PASS)
