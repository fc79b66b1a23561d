;; codes: W0122 W0122 W0122 W0122 W0122
(defstruct failed (ret u32) (code u64) (signed i32) (errno u32))
(defmap events :type :ringbuf :max-entries 65536)
(defprog wrong (:type :kprobe :section "kretprobe/vfs_read")
  (let ((ret (cast i64 (pt-regs-ret))))
    (when (and (< ret 0) (/= ret -11))
      (with-ringbuf (e events (sizeof failed))
        (setf (failed-ret e) ret
              (failed-code e) ret
              (failed-signed e) ret
              (failed-errno e) (- ret)))))
  0)
(defprog leaves (:type :kprobe :section "kretprobe/vfs_read")
  (when (>= (cast i64 (pt-regs-ret)) 0) (return 0))
  (with-ringbuf (e events (sizeof failed))
    (memset e 0 0 (sizeof failed))
    (setf (failed-ret e) (pt-regs-ret)))
  0)
(defmap last :type :hash :key u64 :value u64 :max-entries 64)
(defmap counts :type :hash :key i64 :value u64 :max-entries 64)
(defprog maps (:type :kprobe :section "kretprobe/vfs_read")
  (let ((ret (cast i64 (pt-regs-ret))))
    (if (< ret 0)
        (setf (getmap last 0) ret
              (getmap last ret) 1
              (getmap counts ret) 1
              (getmap last (- ret)) 1)
        (setf (getmap last ret) 1)))
  0)
(defprog right (:type :kprobe :section "kretprobe/vfs_read")
  (let ((ret (cast i64 (pt-regs-ret))))
    (if (< ret 0)
        (with-ringbuf (e events (sizeof failed))
          (setf (failed-ret e) (cast u32 ret)
                (failed-code e) (cast u64 ret)
                (failed-signed e) ret
                (failed-errno e) (- ret)))
        (with-ringbuf (e events (sizeof failed))
          (memset e 0 0 (sizeof failed))
          (setf (failed-ret e) ret))))
  0)
