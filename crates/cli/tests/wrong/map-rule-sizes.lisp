;; class: map-rules
;; codes: E0201 E0201 E0201 E0201 E0201
(defmap a :type :queue :key u32 :value u64 :max-entries 4)
(defmap b :type :prog-array :key u32 :value u64 :max-entries 4)
(defmap c :type :bloom-filter :max-entries 4)
(defmap d :type :hash :key u32 :key-size 8 :value u64 :max-entries 4)
(defmap e :type :bloom-filter :value u32 :max-entries 4 :map-extra 16)
