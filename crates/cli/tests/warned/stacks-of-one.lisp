;; codes: W0444 W0444
(defmap one :type :stack-trace :key u32 :value u64 :max-entries 64)
(defmap sized :type :stack-trace :key-size 4 :value-size 8 :max-entries 64)
(defmap two :type :stack-trace :key u32 :value (array u64 2) :max-entries 64)
(defprog p (:type :kprobe :section "kprobe/do_exit")
  (printk "%ld %ld %ld" (get-stackid one 0) (get-stackid sized 0) (get-stackid two 0))
  0)
