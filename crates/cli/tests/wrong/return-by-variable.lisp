;; class: return-range
(defprog main (:type :sk-lookup :section "sk_lookup")
  (let ((verdict 0))
    (when (= (ctx local_port) 80)
      (setf verdict 2))
    verdict))
