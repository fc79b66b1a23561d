;;; A packet pointer that a loop or a callback moves stays a pointer; the packet's end is compared anew.
;;; packet: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d
;;; out: 7 6 15
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 64)
    (let ((p data))
      (dotimes (i 7) (setf p (+ p 1)))
      (when (in-bounds p 1 data-end) (setf (getmap out 0) (load u8 p 0))))
    (let ((p data))
      (bpf-loop 6 (lambda (i) (setf p (+ p 1)) 0))
      (when (in-bounds p 1 data-end) (setf (getmap out 1) (load u8 p 0))))
    (let ((p data) (sum 0))
      (bpf-loop 5 (lambda (i)
                    (setf p (+ p 1))
                    (when (in-bounds p 1 data-end) (incf sum (load u8 p 0)))
                    0))
      (setf (getmap out 2) sum)))
  XDP_PASS)
