;; class: map-rules
;; codes: E0201 E0201
(defmap ring :type :ringbuf :max-entries 1000)
(defmap table :type :array :key u64 :value u64 :max-entries 4)
(defmap trie :type :lpm-trie :key u64 :value u32 :max-entries 4)
