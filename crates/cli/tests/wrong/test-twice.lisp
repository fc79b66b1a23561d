;; class: duplicate
(deftest adds (is (= (+ 1 1) 2)))
(deftest subtracts (is (= (- 1 1) 0)))
(deftest adds (is (= (+ 1 2) 3)))
