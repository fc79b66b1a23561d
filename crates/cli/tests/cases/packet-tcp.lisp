;;; `with-tcp` runs for TCP, with its header's fields.
;;; packet: 000000000000 000000000000 0800 45000028 00004000 4006 0000 0a000001 0a000002 d431 270f 01020304 00000000 50 02 ffff 0000 0000
;;; result: 1
;;; out: 54321 9999 0x01020304 2 65535
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-tcp (d e tcp)
    (setf (getmap out 0) (tcp-src-port tcp)
          (getmap out 1) (tcp-dst-port tcp)
          (getmap out 2) (tcp-seq tcp)
          (getmap out 3) (logand (tcp-flags tcp) (logior +tcp-syn+ +tcp-ack+))
          (getmap out 4) (tcp-window tcp))
    (when (= (tcp-dst-port tcp) 9999)
      (return XDP_DROP)))
  XDP_PASS)
