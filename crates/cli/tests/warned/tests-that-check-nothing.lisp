;; codes: W0020 W0020 W0021
(defprog main (:type :xdp) XDP_PASS)
(defun holds (n) (is (= n 2)))
(deftest dropped
  (= (run-prog main (packet (eth) (payload "" 46))) 2)
  (is (= (+ 1 1) 2))
  (equal (list 1 2) '(1 2)))
(deftest empty (run-prog main (packet (eth) (payload "" 46))))
(deftest by-a-function (holds (run-prog main (packet (eth) (payload "" 46)))))
