;; class: stack-size
(defstruct big (byte (array u8 300)))
(defmap m :type :hash :key u32 :value big :max-entries 2)
(defprog p (:type :xdp)
  (let ((first-one (make-big)) (second-one (make-big)))
    (map-update m 1 first-one 0)
    (map-update m 2 second-one 0)
    (map-update m 3 first-one 0)
    (if (= (big-byte second-one 3) 1) XDP_DROP XDP_PASS)))
