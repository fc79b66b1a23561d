;; class: return-range
;; codes: E0407 E0407
(defsubprog decide ((size u64)) u64
  (if (> size 1000) 7 1))

(defsubprog through ((size u64)) u64
  (decide size))

(defsubprog any () u32
  (get-prandom-u32))

(defprog first (:type :cgroup-skb :section "cgroup_skb/ingress")
  (through (ctx len)))

(defprog second (:type :cgroup-skb :section "cgroup_skb/ingress")
  (any))

;; With this argument it never is 7.
(defprog third (:type :cgroup-skb :section "cgroup_skb/ingress")
  (decide 10))
