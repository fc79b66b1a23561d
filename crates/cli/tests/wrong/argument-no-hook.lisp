;; class: other
;; codes: E0012 E0012
(defprog p (:type :xdp)
  (arg skb)
  XDP_PASS)

(defprog q (:type :kprobe :section "uprobe/libc.so.6:malloc")
  (arg size))
