;; class: arguments
(defmap count :type :array :key u32 :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (with-ipv4 (data end ip)
    (let ((count (ipv4-total-len ip)))
      (when (> count 100)
        (incf (getmap count 0)))))
  XDP_PASS)
