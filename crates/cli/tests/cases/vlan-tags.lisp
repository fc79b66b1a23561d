;;; packet: 02 00 00 00 00 02 02 00 00 00 00 01 81 00 00 05 08 00 45 00
;;; result: 0
;;; out: 60 0 8 60 200 129 64 300 43144 129 60 200 129
;;; after: 02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00
;; The outermost tag is held beside the packet; the ones within it lie in the packet.
(defmap out :type :array :key u32 :value u64 :max-entries 13)
(defprog main (:type :tc :license "GPL")
  (when (/= (skb-vlan-pop) 0) (return TC_ACT_SHOT))
  (setf (getmap out 0) (ctx len)
        (getmap out 1) (ctx vlan_present)
        (getmap out 2) (ctx protocol))
  (when (/= (skb-vlan-push (htons #x8100) 200) 0) (return TC_ACT_SHOT))
  (setf (getmap out 3) (ctx len)
        (getmap out 4) (ctx vlan_tci)
        (getmap out 5) (ctx vlan_proto))
  (when (/= (skb-vlan-push (htons #x88a8) 300) 0) (return TC_ACT_SHOT))
  (setf (getmap out 6) (ctx len)
        (getmap out 7) (ctx vlan_tci)
        (getmap out 8) (ctx vlan_proto)
        (getmap out 9) (ctx protocol))
  (when (/= (skb-vlan-pop) 0) (return TC_ACT_SHOT))
  (setf (getmap out 10) (ctx len)
        (getmap out 11) (ctx vlan_tci)
        (getmap out 12) (ctx vlan_proto))
  TC_ACT_OK)
