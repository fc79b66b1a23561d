;;; Instructions by their numbers, on variables.
;;; packet: 00
;;; out: 12 7 0xfffffff0 -4 0x3412 2 44 5 9 14 0x80000000 1
(defmap m :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (when-let ((p (map-lookup m 0)))
    (let ((x 5) (y 7) (z 0))
      (setf (getmap out 0) (asm #x0f x y 0 0)                  ; x += y
            (getmap out 1) (asm #xb7 z 0 0 7)                  ; z = 7
            (getmap out 2) (progn (setf z #x0fffffff8) (asm #x04 z 0 0 -8))     ; 32-bit: z += -8
            (getmap out 3) (progn (setf z -8) (asm #xc7 z 0 0 1))     ; z s>>= 1
            (getmap out 4) (progn (setf z #x1234) (asm #xdc z 0 0 16))  ; bswap of 16 bits
            (getmap out 5) (progn (setf z 20) (asm #x97 z 0 0 3)))   ; z %= 3
      (asm #x7a p 0 0 44)                                      ; *(u64 *)(p + 0) = 44
      (setf (getmap out 6) (asm #x79 z p 0 0))                 ; z = *(u64 *)(p + 0)
      (setf z 5)
      (asm #x73 p z 0 0)                                       ; *(u8 *)(p + 0) = z
      (setf (getmap out 7) (load u64 p 0)
            y 4)
      (asm #xdb p y 0 0)                                       ; lock *(u64 *)(p + 0) += y
      (setf (getmap out 8) (load u64 p 0))
      (asm #xdb p y 0 1)                                       ; the same, y = the old content
      (setf (getmap out 9) (+ y 5)
            z #x80000000 y #xffffffff)
      (setf (getmap out 10) (asm #x3c z y 1 0)                 ; signed 32-bit division by -1
            (getmap out 11) (progn (setf z 4) (asm #x64 z 0 0 30) (= z 0)))))
  XDP_PASS)
