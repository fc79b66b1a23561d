;; class: unknown-name
(defmap bytes :type :array :key u32 :value u64 :max-entries 64)
(defprog by-dscp (:type :tc :section "tc" :license "GPL")
  (with-ipv4 (data end ip)
    (let ((class u32 (ipv4-dscp ip))
          (len (ipv4-total-len ip))
          (wire (+ len 14)))
      (incf (getmap bytes class) wire)))
  TC_ACT_OK)
