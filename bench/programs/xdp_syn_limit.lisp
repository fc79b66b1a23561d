;;; Limits new TCP connections by IPv4 source address: the counterpart of xdp_syn_limit.bpf.c.

(defconstant +window-ns+ 1000000000)
(defconstant +syn-limit+ 20)

(defstruct source (start u64) (count u32) (dropped u32))
(defmap sources :type :lru-hash :key u32 :value source :max-entries 65536)
(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 2)

(defprog xdp_syn_limit (:type :xdp :section "xdp" :license "GPL")
  (with-ipv4 (data end ip)
    (let* ((ihl (logand (ipv4-ver-ihl ip) 15))
           (tcp (+ ip (* ihl 4))))
      (when (and (>= ihl 5)
                 (= (ipv4-protocol ip) +ip-proto-tcp+)
                 (not (logtest (ipv4-frag-off ip) #x1fff))
                 (<= (+ tcp 20) end)
                 (= (logand (tcp-flags tcp) (logior +tcp-syn+ +tcp-ack+)) +tcp-syn+))
        (incf (getmap stats 0))
        (let ((now (ktime-get-ns)))
          (if-let (s (map-lookup sources (ipv4-src-addr ip)))
            (if (>= (- now (source-start s)) +window-ns+)
                (setf (source-start s) now
                      (source-count s) 1)
                (when (> (incf (source-count s)) +syn-limit+)
                  (incf (source-dropped s))
                  (incf (getmap stats 1))
                  (return XDP_DROP)))
            (let ((fresh (make-source)))
              (setf (source-start fresh) now
                    (source-count fresh) 1)
              (setf (getmap sources (ipv4-src-addr ip)) fresh)))))))
  XDP_PASS)
