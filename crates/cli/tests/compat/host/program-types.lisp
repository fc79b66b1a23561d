;;; `(defprog n (:type T …))` for every type that the original had; the kernel takes what it does not forbid.
;;; out: loaded socket-filter tracepoint kprobe tc cgroup-skb cgroup-sock cgroup-sock-addr sk-lookup xdp
;;; out: lsm fentry ok
(defmacro loads (type section &optional (result 1))
  `(handler-case
       (with-bpf-session ()
         (bpf:prog it (:type ,type :section ,section :license "GPL") ,result)
         ',type)
     (bpf-error (e) e)))
(format t "loaded ~{~(~a~)~^ ~}~%"
        (list (loads :socket-filter "socket") (loads :tracepoint "tracepoint/sched/sched_switch")
              (loads :kprobe "kprobe/vfs_read") (loads :tc "tc") (loads :cgroup-skb "cgroup_skb/egress")
              (loads :cgroup-sock "cgroup/sock_create") (loads :cgroup-sock-addr "cgroup/connect4")
              (loads :sk-lookup "sk_lookup") (loads :xdp "xdp")))
;; Loaded, or told what the kernel forbids.
(format t "lsm fentry ~a~%"
        (if (every (lambda (r) (or (keywordp r) (plusp (length (format nil "~a" r)))))
                   (list (loads :lsm "lsm/file_open" 0) (loads :fentry "fentry/vfs_read" 0) (loads :fexit "fexit/vfs_read" 0)))
            "ok" "silent"))
