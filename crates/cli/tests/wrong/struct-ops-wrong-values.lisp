;; class: arguments
;; codes: E0412 E0412 E0412 E0412 E0412
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (tcp-reno-ssthresh (arg sk)))
(defstruct-ops mine (:type tcp_congestion_ops)
  (ssthresh 7)
  (name "a_name_that_is_too_long")
  (flags 4294967296)
  (owner 1)
  (get-info my-ssthresh))
