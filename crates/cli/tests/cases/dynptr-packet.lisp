;;; A dynptr of the packet: read with no bounds check, written, sliced.
;;; packet-only: 0102030405060708 090a0b0c0d0e0f10 1112
;;; target: 6.18
;;; out: 18 0x0201 0 0x10 0x0c0b0a09 1 0
;;; after: 0102aabb
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-dynptr (d (xdp))
    (setf (getmap out 0) (dynptr-size d)
          (getmap out 1) (dynptr-load u16 d 0)
          (getmap out 2) (dynptr-load u32 d 17)
          (getmap out 3) (dynptr-load u8 d 15))
    (dynptr-store u16 d 2 #xbbaa)
    (let ((buffer (array u8 4)))
      (when-let ((p (dynptr-slice d 8 buffer 4)))
        (setf (getmap out 4) (load u32 p 0))))
    (setf (getmap out 5) (= 0 (dynptr-is-null d))
          (getmap out 6) (dynptr-is-rdonly d)))
  XDP_PASS)
