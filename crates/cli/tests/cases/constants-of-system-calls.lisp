;;; The kernel's names for errors and flags of system calls.
;;; packet: 01
;;; out: 0xffffffffffffffff 2 1 64 0x241 9 0x20000 0x86dd
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((one (load u8 d 0)))
      (setf (getmap out 0) (* one (- EPERM)))
      (setf (getmap out 1) (* one ENOENT))
      (setf (getmap out 2) (logtest (logior one O_CREAT) O_CREAT))
      (setf (getmap out 3) (* one O_CREAT))
      (setf (getmap out 4) (* one (logior O_WRONLY O_CREAT O_TRUNC)))
      (setf (getmap out 5) (* one SIGKILL))
      (setf (getmap out 6) (* one CLONE_NEWNS))
      (setf (getmap out 7) (* one ETH_P_IPV6))))
  XDP_PASS)
