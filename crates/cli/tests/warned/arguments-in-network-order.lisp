;; codes: W0117 W0117 W0117
(defconstant +service-tag+ #x88a8)
(defprog push (:type :tc)
  (when (/= (skb-vlan-push +service-tag+ 200) 0) (return TC_ACT_SHOT))
  (when (/= (skb-vlan-push #x9100 200) 0) (return TC_ACT_SHOT))
  (when (/= (skb-change-proto ETH_P_IPV6 0) 0) (return TC_ACT_SHOT))
  ;; These are right.
  (when (/= (skb-vlan-push (htons +service-tag+) 200) 0) (return TC_ACT_SHOT))
  (when (/= (skb-vlan-push (ctx vlan_proto) 200) 0) (return TC_ACT_SHOT))
  (when (/= (skb-vlan-push #x0081 200) 0) (return TC_ACT_SHOT))
  (when (/= (skb-change-proto (htons ETH_P_IP) 0) 0) (return TC_ACT_SHOT))
  TC_ACT_OK)
