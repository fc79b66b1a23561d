;;; A value that belongs to the cgroup a program is attached to; it is always there.
;;; packet: 45000000
;;; result: 1
;;; out: 3 7
(defstruct usage (packets u64) (last u32))
(defmap per-group :type :cgroup-storage :key u64 :value usage)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :cgroup-skb :section "cgroup_skb/egress")
  (let ((u (get-local-storage per-group 0)))
    (incf (usage-packets u) 3)
    (setf (usage-last u) 7)
    (setf (getmap out 0) (usage-packets u)
          (getmap out 1) (usage-last u)))
  1)
