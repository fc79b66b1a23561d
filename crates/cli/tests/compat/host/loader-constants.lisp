;;; The loader's constants by the kernel's numbers.
;;; out: (0 1 2 8 9 10 11 12 13 14 15 19 20 34)
;;; out: (8 9 18)
;;; out: (0 1 2)
(format t "~a~%" (list +bpf-cgroup-inet-ingress+ +bpf-cgroup-inet-egress+ +bpf-cgroup-inet-sock-create+
  +bpf-cgroup-inet4-bind+ +bpf-cgroup-inet6-bind+ +bpf-cgroup-inet4-connect+ +bpf-cgroup-inet6-connect+
  +bpf-cgroup-inet4-post-bind+ +bpf-cgroup-inet6-post-bind+ +bpf-cgroup-udp4-sendmsg+ +bpf-cgroup-udp6-sendmsg+
  +bpf-cgroup-udp4-recvmsg+ +bpf-cgroup-udp6-recvmsg+ +bpf-cgroup-inet-sock-release+))
(format t "~a~%" (list +bpf-prog-type-cgroup-skb+ +bpf-prog-type-cgroup-sock+ +bpf-prog-type-cgroup-sock-addr+))
(format t "~a~%" (list +bpf-any+ +bpf-noexist+ +bpf-exist+))
