;;; C's layout: sizes, offsets, arrays, structs in structs, a packed one.
;;; packet: 00
;;; out: 24 4 8 16 7 1 3 32 8 24
(defstruct key (proto u8) (port u32) (bytes (array u8 6)) (seen u64))
(defstruct (tight :packed) (a u8) (b u16) (c u32))
(defstruct outer (n u32) (k key))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) (sizeof key)
        (getmap out 1) (offsetof key port)
        (getmap out 2) (offsetof key bytes)
        (getmap out 3) (offsetof key seen)
        (getmap out 4) (sizeof tight)
        (getmap out 5) (offsetof tight b)
        (getmap out 6) (offsetof tight c)
        (getmap out 7) (sizeof outer)
        (getmap out 8) (offsetof outer k)
        (getmap out 9) (+ (sizeof u64) (sizeof (array u16 8))))
  XDP_PASS)
