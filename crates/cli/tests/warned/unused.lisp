;; codes: W0014 W0014 W0014 W0010 W0010
;; `_spare` says that it is meant, `shared` is pinned for others, `used` is read by a form of the host.
(defmap packets :type :array :key u32 :value u64 :max-entries 1)
(defmap _spare :type :array :key u32 :value u64 :max-entries 1)
(defmap shared :type :array :key u32 :value u64 :max-entries 1 :pin "/sys/fs/bpf/shared")
(defmap used :type :array :key u32 :value u64 :max-entries 1)
(defparam limit u32 5)
(defsubprog clamp ((x u64)) u64
  (min x 5))
(defsubprog first ((x u64) (y u64)) u64
  (+ x 1))
(defprog main (:type :xdp)
  (let ((a (first 1 2))
        (b (ktime-get-ns))
        (_c 5))
    (declare (ignore _c))
    (if (= a 3) XDP_DROP XDP_PASS)))
(print (map-ref used 0))
