;;; `(defunion n s1 s2…)`: one object on the stack, seen through the accessors of each.
;;; packet: 00
;;; out: 0x01020304 0x0304 0x04 12
(defstruct ip-part (addr u32) (rest u64))
(defstruct udp-part (port u16) (more u16))
(defunion packet-buf ip-part udp-part)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((p (make-packet-buf)))
    (setf (ip-part-addr p) #x01020304)
    (setf (getmap out 0) (ip-part-addr p)
          (getmap out 1) (udp-part-port p)
          (getmap out 2) (load u8 p 0)
          (getmap out 3) (+ 4 8)))
  XDP_PASS)
