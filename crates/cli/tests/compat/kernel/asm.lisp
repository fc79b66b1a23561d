;;; `(asm op dst src off imm)`, with the numbers of registers and with variables.
;;; packet: 00
;;; out: 42 84 10
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (asm #xb7 6 0 0 42)                       ; r6 = 42
  (asm #xbf 7 6 0 0)                        ; r7 = r6
  (setf (getmap out 0) (asm #xbf 0 7 0 0)   ; r0 = r7
        (getmap out 1) (asm #x0f 6 7 0 0))  ; r6 += r7
  (let ((x 3))
    (asm #x07 x 0 0 7)                      ; x += 7
    (setf (getmap out 2) x))
  XDP_PASS)
