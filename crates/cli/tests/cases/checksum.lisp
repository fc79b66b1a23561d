;;; A loop over the packet with a wide accumulator: the Internet checksum of an IPv4 header.
;;; packet: 000000000000 000000000000 0800 4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7
;;; out: 0 0xb861
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-ipv4 (d e ip)
    (let ((sum 0) (rest 0))
      (dotimes (i 10)
        (incf sum (ntohs (load u16 (+ ip (* i 2)) 0)))
        (unless (= i 5)
          (incf rest (ntohs (load u16 (+ ip (* i 2)) 0)))))
      (setf sum (+ (logand sum #xffff) (>> sum 16))
            rest (+ (logand rest #xffff) (>> rest 16)))
      (setf (getmap out 0) (logand (lognot sum) #xffff)
            (getmap out 1) (logand (lognot rest) #xffff))))
  XDP_PASS)
