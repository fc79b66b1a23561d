;;; A packet pointer moved by a number that is bounded by a mask, a minimum or a test may be compared and read.
;;; packet: 00 00 00 00 00 00 00 00 00 00 00 00 08 00 45 00 00 14 00 00 00 00 40 06 00 00 0a 00 00 01 0a 00 00 02 aa bb cc dd
;;; out: 187 187 187 187
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-ipv4 (data data-end ip)
    (let ((masked (+ ip (logand (ipv4-total-len ip) #x7fff))))
      (when (in-bounds masked 4 data-end) (setf (getmap out 0) (load u8 masked 1))))
    (let ((least (+ ip (min (ipv4-total-len ip) 9000))))
      (when (in-bounds least 4 data-end) (setf (getmap out 1) (load u8 least 1))))
    (let ((n (ipv4-total-len ip)))
      (when (< n 1500)
        (let ((tested (+ ip n)))
          (when (in-bounds tested 4 data-end) (setf (getmap out 2) (load u8 tested 1))))))
    (let ((n (ipv4-total-len ip)))
      (when (> n 1400) (return XDP_DROP))
      (when (<= (+ ip n 4) data-end) (setf (getmap out 3) (load u8 (+ ip n) 1)))))
  XDP_PASS)
