;;; Instructions on numbered registers, as the original had them: each keeps what asm forms put into it, also over
;;; branches, loops and calls of helpers; a subprogram has its own.
;;; packet: 00
;;; out: 42 84 7 0xfffffff9 1 10 0 5 99 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog own () u64 :global t
  (asm #x07 3 0 0 5)                       ; r3 += 5, from 0
  (asm #xbf 0 3 0 0))                      ; r0 = r3
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x 99))
      (asm #xb7 6 0 0 42)                  ; r6 = 42
      (setf (getmap out 0) (asm #xbf 7 6 0 0))   ; r7 = r6
      (asm #x0f 7 6 0 0)                   ; r7 += r6
      (asm #xb7 8 0 0 -7)                  ; r8 = -7
      (setf (getmap out 1) (asm #xbf 0 7 0 0))
      (setf (getmap out 2) (asm #x87 8 0 0 0))   ; r8 = -r8
      (setf (getmap out 3) (asm #x84 8 0 0 0))   ; 32-bit: w8 = -w8
      ;; A helper by its number: 8 is get_smp_processor_id.
      (asm #x85 0 0 0 8)
      (setf (getmap out 4) (< (asm #xbf 9 0 0 0) 1024))
      (asm #xb7 1 0 0 0)
      (dotimes (i 5)
        (when (= (load u8 d 0) 0)
          (asm #x07 1 0 0 2)))             ; r1 += 2
      (setf (getmap out 5) (asm #xbf 2 1 0 0))
      (setf (getmap out 6) (asm #xbf 2 3 0 0))   ; r3 was never written
      (setf (getmap out 7) (own))
      (setf (getmap out 8) (asm #xbf 4 x 0 0))   ; from a variable
      (setf (getmap out 9) (= 42 (asm #xbf 2 6 0 0)))))
  XDP_PASS)
