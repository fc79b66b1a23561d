;;; `attach-tracepoint` with and without its prefix, `attach-uprobe` and its return, by section with `bpf:attach`;
;;; `attach-kprobe`, `attach-kprobe-multi`, `attach-lsm` and `attach-fentry` say what this kernel lacks, or work.
;;; ways: kernel
;;; out: t
;;; out: t
;;; out: t t
;;; out: kprobe ok
;;; out: multi ok
;;; out: none ok
(defmacro pid () (sb-posix:getpid))
(defmap hits :type :array :key-size 4 :value-size 8 :max-entries 4)
(defmacro count! (n) `(when (= (ash (get-current-pid-tgid) -32) (pid)) (incf (getmap hits ,n))))
(defprog on-stat (:type :tracepoint :section "tracepoint/syscalls/sys_enter_statx") (count! 0) 0)
(defprog on-call (:type :kprobe :section "uprobe/getenv") (count! 1) 0)
(defprog on-return (:type :kprobe :section "uretprobe/getenv") (count! 2) 0)
(defprog on-kprobe (:type :kprobe :section "kprobe/vfs_read") (count! 3) 0)
(defprog on-many (:type :kprobe :section "kprobe.multi/vfs_read") 0)
(dolist (name '("tracepoint/syscalls/sys_enter_statx" "syscalls/sys-enter-statx"))
  (map-update-int hits 0 0)
  (let ((link (attach-tracepoint (prog-info-fd on-stat) name)))
    (probe-file "/nowhere")
    (format t "~a~%" (plusp (map-lookup-int hits 0)))
    (detach link)))
(let ((a (attach-uprobe on-call "libc.so.6" "getenv"))
      (b (attach-uprobe on-return "libc.so.6" "getenv" :retprobe t)))
  (format t "~a ~a~%" (not (null a)) (not (null b))))
(defun tried (what)
  "A link that came about, or an error that is a bpf-error: both are honest."
  (handler-case (progn (detach (funcall what)) "ok")
    (bpf-error (e) (if (plusp (length (format nil "~a" e))) "ok" "silent"))))
(format t "kprobe ~a~%" (tried (lambda () (attach-kprobe (prog-info-fd on-kprobe) "vfs_read" :retprobe t))))
(format t "multi ~a~%" (tried (lambda () (attach-kprobe-multi on-many '("vfs_read" "vfs_write")))))
(format t "none ~a~%" (tried (lambda () (attach-kprobe 9999 "vfs_read"))))
