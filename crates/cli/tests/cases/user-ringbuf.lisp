;;; A ring that user space writes and a program empties: nothing is in it, and the function is never called.
;;; packet: 00
;;; out: 0 0
(defmap in :type :user-ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (let ((n u64 0))
    (setf (getmap out 0) (user-ringbuf-drain in (lambda (record) (incf n (dynptr-load u8 record 0)) 0) 0)
          (getmap out 1) n))
  XDP_PASS)
