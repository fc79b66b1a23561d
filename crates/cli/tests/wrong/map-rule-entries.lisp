;; class: map-rules
;; codes: E0201 E0201 E0201 E0207 E0201
(defmap a :type :array :key u32 :value u64 :max-entries 0)
(defmap b :type :task-storage :key u32 :value u64 :max-entries 4)
(defmap c :type :hash :key u32 :value u64)
(defmap d :type :arena :max-entries 0 :map-flags BPF_F_MMAPABLE)
