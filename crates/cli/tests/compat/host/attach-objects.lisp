;;; `attach-obj-…`: programs of an object file by their names; what a map of it says of itself.
;;; ways: kernel
;;; out: xdp ok
;;; out: tc ok
;;; out: cgroup ok
;;; out: tracepoint ok
;;; out: uprobe ok
;;; out: sk-lookup ok
;;; out: kprobe ok
;;; out: kprobe-multi ok
;;; out: `on_xdp` can't be attached to its own target: it is a program of type xdp, and this takes tracing or lsm or ext
;;; out: `on_xdp` can't be attached to its own target: it is a program of type xdp, and this takes tracing or lsm or ext
;;; out: map hits 2 4 8 4 t
;;; out: no such program
(defmap hits :type :array :key-size 4 :value-size 8 :max-entries 4)
(defprog on-xdp (:type :xdp) XDP_PASS)
(defprog on-in (:type :tc) TC_ACT_OK)
(defprog on-cg (:type :cgroup-skb :section "cgroup_skb/egress") (incf (getmap hits 0)) 1)
(defprog on-stat (:type :tracepoint :section "tracepoint/syscalls/sys_enter_statx") 0)
(defprog on-call (:type :kprobe :section "uprobe/getenv") 0)
(defprog on-lookup (:type :sk-lookup) SK_PASS)
(defprog on-kprobe (:type :kprobe :section "kprobe/vfs_read") 0)
(defprog on-many (:type :kprobe :section "kprobe.multi/vfs_read") 0)
(defparameter *file* (format nil "~a/n.bpf.o" (posix-getenv "TEST_DIR")))
(compile-to-elf *file*)

(defmacro attached (what form)
  `(progn (detach ,form) (format t "~a ok~%" ,what)))
(defmacro tried (what form)
  "A link that came about, or an error that says what the kernel lacks: both are honest."
  `(format t "~a ~a~%" ,what
           (handler-case (progn (detach ,form) "ok")
             (bpf-error (e) (if (plusp (length (format nil "~a" e))) "ok" "silent")))))

(with-bpf-object (o *file*)
  (attached "xdp" (attach-obj-xdp o "on_xdp" "lo"))
  (attached "tc" (attach-obj-tc o "on_in" "lo" :direction "ingress"))
  (attached "cgroup" (attach-obj-cgroup o "on_cg" (posix-getenv "TEST_CGROUP") +bpf-cgroup-inet-egress+))
  (attached "tracepoint" (attach-obj-tracepoint o "on_stat" "syscalls/sys_enter_statx"))
  (attached "uprobe" (attach-obj-uprobe o "on_call" "libc.so.6" "getenv"))
  (attached "sk-lookup" (attach-obj-sk-lookup o "on_lookup"))
  (tried "kprobe" (attach-obj-kprobe o "on_kprobe" "vfs_read"))
  (tried "kprobe-multi" (attach-obj-kprobe-multi o "on_many" '("vfs_read")))
  (handler-case (attach-obj-lsm o "on_xdp") (error (e) (format t "~a~%" e)))
  (handler-case (attach-obj-fentry o "on_xdp") (error (e) (format t "~a~%" e)))
  (let ((m (bpf-object-map o "hits")))
    (format t "map ~a ~(~a~) ~a ~a ~a ~a~%" (map-info-name m) (map-info-type m) (map-info-key-size m)
            (map-info-value-size m) (map-info-max-entries m) (plusp (map-info-fd m))))
  (handler-case (attach-obj-xdp o "no_such" "lo") (error () (format t "no such program~%"))))
