;; codes: W0419
(defprog translate (:type :tc)
  (let ((old u32 (ctx mark)) (new u32 (ip4 "192.0.2.1")) (port u16 (cast u16 (ctx hash))))
    (when (/= (l4-csum-replace 50 old new 4) 0) (return TC_ACT_SHOT))
    (when (/= (l3-csum-replace 24 old new 4) 0) (return TC_ACT_SHOT))
    ;; These are right.
    (when (/= (l4-csum-replace 50 old new (logior BPF_F_PSEUDO_HDR 4)) 0) (return TC_ACT_SHOT))
    (when (/= (l4-csum-replace 50 port (htons 80) 2) 0) (return TC_ACT_SHOT)))
  TC_ACT_OK)
