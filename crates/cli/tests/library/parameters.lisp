;;; Globals and parameters by their names in tests, and the results that are signed numbers.
(defparam port u16 80)
(defglobal dropped u64 0)
(defmap seen :type :array :key u32 :value u64 :max-entries 1)

(defprog block (:type :xdp)
  (with-tcp (data end tcp)
    (incf (getmap seen 0))
    (when (= (tcp-dst-port tcp) port)
      (incf dropped)
      (return XDP_DROP)))
  XDP_PASS)
(defprog unspecific (:type :tc) TC_ACT_UNSPEC)

(defun to (port) (packet (eth) (ipv4) (tcp :dst-port port)))

(deftest a-parameter-of-the-test
  (is (= (run-prog block (to 80)) XDP_DROP))
  (setf port 81)
  (is (= (run-prog block (to 80)) XDP_PASS))
  (is (= (run-prog block (to 81)) XDP_DROP))
  (is (= (global-ref port) 81))
  (is (= (map-ref seen 0) 3) "maps stay")
  (setf (global-ref port) 82)
  (is (= (run-prog block (to 82)) XDP_DROP)))

(deftest it-is-what-it-was
  (is (= (global-ref port) 80))
  (is (= (run-prog block (to 80)) XDP_DROP))
  (is (= (run-prog block (to 82)) XDP_PASS)))

(deftest a-global-by-its-name
  (setf dropped 5)
  (run-prog block (to 80))
  (is (= (global-ref dropped) 6))
  (let ((why (handler-case (setf port 70000) (error (e) (format nil "~a" e)))))
    (is (search "70000 does not fit" why))))

(deftest verdicts-have-signs
  (is (= (run-prog unspecific (to 80)) TC_ACT_UNSPEC -1)))
