;;; Filters by longest matching source prefix, IPv4 and IPv6, behind up to two VLAN tags:
;;; the counterpart of xdp_lpm_filter.bpf.c.

(defconstant +max-vlans+ 2)
(defconstant +ethertype-qinq+ #x88a8)
(defconstant +act-drop+ 1)
(defconstant +act-tx+ 2)

(defstruct key4 (prefixlen u32) (addr u32))
(defstruct key6 (prefixlen u32) (addr (array u8 16)))
(defstruct rule (action u32) (hits u32))

(defmap rules4 :type :lpm-trie :key key4 :value rule :max-entries 4096 :map-flags BPF_F_NO_PREALLOC)
(defmap rules6 :type :lpm-trie :key key6 :value rule :max-entries 4096 :map-flags BPF_F_NO_PREALLOC)

(defmacro apply-rule (rule)
  `(when-let ((rule ,rule))
     (atomic-incf (rule-hits rule))
     (case (rule-action rule)
       (+act-drop+ (return XDP_DROP))
       (+act-tx+ (return XDP_TX)))))

(defprog xdp_lpm_filter (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let ((type (eth-type data))
          (pos (+ data +eth-hdr-len+)))
      (dotimes (i +max-vlans+)
        (when (or (= type +ethertype-vlan+) (= type +ethertype-qinq+))
          (unless (<= (+ pos 4) end) (return XDP_PASS))
          (setf type (ntohs (load u16 pos 2))
                pos (+ pos 4))))
      (case type
        (#x0800
         (when (<= (+ pos 20) end)
           (let ((key (make-key4)))
             (setf (key4-prefixlen key) 32
                   (key4-addr key) (ipv4-src-addr pos))
             (apply-rule (map-lookup rules4 key)))))
        (#x86dd
         (when (<= (+ pos 40) end)
           (let ((key (make-key6)))
             (setf (key6-prefixlen key) 128)
             (memcpy (key6-addr-ptr key) 0 pos 8 16)
             (apply-rule (map-lookup rules6 key))))))))
  XDP_PASS)
