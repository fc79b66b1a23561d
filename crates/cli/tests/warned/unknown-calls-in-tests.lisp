;; codes: W0019 W0019 W0019
(defmap drops :type :array :key u32 :value u64 :max-entries 1)
(defprog main (:type :xdp)
  (incf (getmap drops 0))
  XDP_PASS)
(defun twice (n) (dubble n))
(deftest counts
  (is (= (run-prog main (packet (eth) (ipv4))) XDP_PASS))
  (is (= (getmap drops 0) 1))
  (is-equal (map-ref drops 0) (later 1)))
(defun later (n) n)
