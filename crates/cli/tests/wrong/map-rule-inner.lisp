;; class: map-rules
;; codes: E0201 E0001 E0201 E0201 E0201 E0203
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defmap wide :type :hash :key u64 :value u64 :max-entries 8)
(defmap a :type :array-of-maps :max-entries 4)
(defmap b :type :array-of-maps :max-entries 4 :inner cuonts)
(defmap c :type :array-of-maps :max-entries 4 :inner counts :values (counts wide))
(defmap d :type :array-of-maps :max-entries 4 :inner (:type :array-of-maps :max-entries 4))
(defmap e :type :hash :key u32 :value u64 :max-entries 4 :inner counts)
(defmap f :type :array-of-maps :max-entries 2 :inner counts :values ((2 counts)))
