;;; `bpf:prog` inside of another form of the session says where it belongs.
;;; exit: 1
;;; err: `bpf:prog` stands directly in `with-bpf-session`, not inside of another form
(with-bpf-session ()
  (when t
    (bpf:prog inner (:type :xdp) XDP_PASS)))
