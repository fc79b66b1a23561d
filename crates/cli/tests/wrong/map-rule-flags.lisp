;; class: map-rules
;; codes: E0201 E0201 E0201
(defstruct prefix (len u32) (addr u32))
(defmap a :type :lpm-trie :key prefix :value u32 :max-entries 4 :map-flags BPF_F_NUMA_NODE)
(defmap b :type :ringbuf :max-entries 4096 :map-flags BPF_F_NO_PREALLOC)
(defmap c :type :hash :key u32 :value u32 :max-entries 4 :map-flags (BPF_F_RDONLY_PROG BPF_F_WRONLY_PROG))
