;;; A value that belongs to a packet's socket.
;;; only: kernel: the packets of the virtual machine belong to no socket
;;; packet: 020000000001020000000002 0800
;;; out: 1 40
;;; result: 0
(defmap per-sock :type :sk-storage :key u32 :value u64)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :tc)
  (when-let ((sk (ctx sk)))
    (when-let ((full (sk-fullsock sk)))
      (when-let ((v (sk-storage-get per-sock full 0 BPF_SK_STORAGE_GET_F_CREATE)))
        (incf (deref v) 40)
        (setf (getmap out 0) 1
              (getmap out 1) (deref v)))))
  0)
