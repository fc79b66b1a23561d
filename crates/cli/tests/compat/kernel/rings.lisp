;;; `ringbuf-reserve`, `-submit`, `-discard`, `-output`, `with-ringbuf` with and without `:flags`.
;;; packet: 00
;;; out: 24 48 72 96
(defstruct ev (a u64) (b u32))
(defmap ring :type :ringbuf :max-entries 4096)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((p (ringbuf-reserve ring (sizeof ev) 0)))
    (when p
      (setf (ev-a p) 1)
      (ringbuf-submit p 0)))
  (setf (getmap out 0) (ringbuf-query ring 0))
  (let ((p (ringbuf-reserve ring (sizeof ev) 0)))
    (when p
      (ringbuf-discard p 0)))
  (setf (getmap out 1) (ringbuf-query ring 0))
  (with-ringbuf (e ring (sizeof ev) :flags 1)
    (setf (ev-b e) 2))
  (setf (getmap out 2) (ringbuf-query ring 0))
  (let ((s (make-ev)))
    (ringbuf-output ring s (sizeof ev) 0))
  (setf (getmap out 3) (ringbuf-query ring 0))
  XDP_PASS)
