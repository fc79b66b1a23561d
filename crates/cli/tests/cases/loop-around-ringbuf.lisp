;;; A thousand rounds around a ring-buffer record: too many for the verifier to follow one by one.
;;; loops: verified once
;;; packet: 00
;;; result: 1
;;; out: 501 3
(defstruct ev (i u64))
(defmap r :type :ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (let ((kept 0) (n 0))
    (dotimes (i 1000)
      (with-ringbuf (e r (sizeof ev))
        (setf (ev-i e) i)
        (if (> kept 2) (ringbuf-discard e 0) (incf kept)))
      (incf n)
      (when (> n 500)
        (setf (getmap out 0) n (getmap out 1) kept)
        (return XDP_DROP))))
  XDP_PASS)
