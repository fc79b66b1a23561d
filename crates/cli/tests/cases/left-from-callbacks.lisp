;;; What a callback takes itself it may leave by `return`; what stands outside is left behind the calls.
;;; packet: 02
;;; result: 3
;;; out: 3 1 2
(defmap ring :type :ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 3)
(defprog main (:type :xdp :license "GPL")
  (with-packet (data end :min-len 1)
    (let ((last 0) (rounds 0))
      (with-ringbuf (e ring 8)
        (bpf-loop 5 (lambda (i) (incf rounds) (setf last i) (>= i (load u8 data 0))))
        (store u64 e 0 last))
      (setf (getmap out 0) rounds
            (getmap out 1) 1
            (getmap out 2) last)
      (bpf-loop 3 (lambda (i)
                    (when (> i 1)
                      (with-ringbuf (e ring 8) (store u64 e 0 i) (return XDP_TX)))
                    0))))
  XDP_PASS)
