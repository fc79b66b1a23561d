;;; Counts packets and bytes by IP protocol: the counterpart of xdp_proto_count.bpf.c.

(defconstant +other+ 255)

(defstruct counter (packets u64) (bytes u64))
(defmap counters :type :percpu-array :key u32 :value counter :max-entries 256)

(defprog xdp_proto_count (:type :xdp :section "xdp" :license "GPL")
  (let* ((data (xdp-data))
         (end (xdp-data-end))
         (slot (cond ((> (+ data 14) end) +other+)
                     ((= (eth-type data) +ethertype-ipv4+)
                      (if (<= (+ data 34) end) (ipv4-protocol (+ data 14)) +other+))
                     ((= (eth-type data) +ethertype-ipv6+)
                      (if (<= (+ data 54) end) (ipv6-nexthdr (+ data 14)) +other+))
                     (t +other+))))
    (when-let ((c (map-lookup counters slot)))
      (incf (counter-packets c))
      (incf (counter-bytes c) (- end data))))
  XDP_PASS)
