;; class: duplicate
;; codes: E0005 E0005 E0005 E0005 E0005 E0005 E0005
(defstruct rec (a u32) (b u8) (a u16))
(defstruct flow (src u32))
(defstruct flow (src u64))
(defenum mode :on :off :on)
(defunion word (a u32) (a u64))
(defmap m :type :hash :key u32 :value u64 :max-entries 4)
(defmap m :type :array :key u32 :value u64 :max-entries 4)
(defglobal limit u32 1)
(defparam limit u32 2)
(defenum u32 :a :b)
