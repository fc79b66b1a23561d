;; codes: W0022 W0022
(defmap hits :type :array :key u32 :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (with-tcp (data end tcp)
    (when (= (tcp-dst-port tcp) 23) XDP_DROP)
    (if (= (tcp-src-port tcp) 23)
        (return XDP_DROP)
        XDP_PASS)
    (incf (getmap hits 0)))
  ;; This is the result.
  XDP_PASS)
