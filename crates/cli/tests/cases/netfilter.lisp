;;; A netfilter program: it sees the packet from the network header on, and lets it pass or drops it.
;;; target: 6.12/v4
;;; packet: 020000000002020000000001 0800 4500001c0000400040116acf 0a000001 0a000002 04d2 0009 0008 0000
;;; result: 1
;;; out: 7
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :netfilter)
  (setf (getmap out 0) 7)
  1)
