;; class: map-rules
;; codes: E0201 E0201
(defstruct prefix (length u32) (address u32))
(defmap routes :type :lpm-trie :key prefix :value u32 :max-entries 16 :map-flags BPF_F_MMAPABLE)
