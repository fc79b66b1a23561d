;; class: reference
(defmap ring :type :ringbuf :max-entries 4096)
(defmap progs :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defprog holds (:type :xdp)
  (with-ringbuf (e ring 8)
    (tail-call progs 1)
    (store u64 e 0 1))
  XDP_PASS)
