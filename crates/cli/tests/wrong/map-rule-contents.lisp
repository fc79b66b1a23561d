;; class: map-rules
;; codes: E0201 E0201 E0201 E0201 E0201
(defstruct bucket (lock bpf-spin-lock) (tokens u64))
(defstruct later (timer bpf-timer) (count u64))
(defstruct net (len u8) (addr (array u8 4)))
(defmap buckets :type :percpu-array :key u32 :value bucket :max-entries 1)
(defmap flows :type :lru-hash :key u32 :value bucket :max-entries 16)
(defmap timers :type :percpu-hash :key u32 :value later :max-entries 16)
(defmap nets :type :lpm-trie :key net :value u8 :max-entries 16)
(defmap addresses :type :lpm-trie :key u32 :value u8 :max-entries 16)
(defmap fine :type :hash :key u32 :value bucket :max-entries 16)
(defmap also :type :lru-hash :key u32 :value later :max-entries 16)
