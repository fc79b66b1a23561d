;;; Programs and maps put into maps from the host: what tail calls go to, what maps of maps hold. What a test puts there
;;; is gone in the next one; what the file puts there stays.
(defmap jumps :type :prog-array :key u32 :value u32 :max-entries 32)
(defmap seen :type :array :key u32 :value u64 :max-entries 2)
(defmap day :type :hash :key u32 :value u64 :max-entries 8)
(defmap night :type :hash :key u32 :value u64 :max-entries 8)
(defmap shifts :type :array-of-maps :key u32 :value u32 :max-entries 4 :inner day)
(defmap named :type :hash-of-maps :key u32 :value u32 :max-entries 4 :inner day)

(defprog on-udp (:type :xdp)
  (incf (getmap seen 0))
  XDP_DROP)
(defprog on-tcp (:type :xdp)
  (incf (getmap seen 1))
  XDP_TX)
(defprog dispatch (:type :xdp)
  (with-ipv4 (data end ip)
    (tail-call jumps (ipv4-protocol ip)))
  XDP_PASS)
(defprog look (:type :xdp)
  (when-let ((inner (map-lookup shifts 1)))
    (when-let ((n (map-lookup inner 7)))
      (return (cast u32 (load u64 n)))))
  XDP_ABORTED)
(defprog look-by-name (:type :xdp)
  (when-let ((inner (map-lookup named 77)))
    (when-let ((n (map-lookup inner 7)))
      (return (cast u32 (load u64 n)))))
  XDP_ABORTED)

(defun udp () (packet (eth) (ipv4) (udp :dst-port 5) (payload 10)))
(defun tcp () (packet (eth) (ipv4) (tcp :dst-port 5)))

;; For all tests.
(setf (map-ref jumps 6) on-tcp)

(deftest a-tail-call-goes-where-the-test-says
  (is (= (run-prog dispatch (udp)) XDP_PASS))
  (setf (map-ref jumps 17) on-udp)
  (is (= (run-prog dispatch (udp)) XDP_DROP))
  (is (= (map-ref seen 0) 1))
  (setf (map-ref jumps 17) 'on-tcp)
  (is (= (run-prog dispatch (udp)) XDP_TX)))

(deftest what-a-test-put-there-is-gone
  (is (= (run-prog dispatch (udp)) XDP_PASS))
  (is (null (map-ref jumps 17))))

(deftest what-the-file-put-there-stays
  (is (= (run-prog dispatch (tcp)) XDP_TX))
  (is (equal (format nil "~a" (map-ref jumps 6)) "#<program on-tcp>"))
  (is (equal (mapcar #'car (map-entries jumps)) '(6)))
  (setf (map-ref jumps 6) nil)
  (is (= (run-prog dispatch (tcp)) XDP_PASS)))

(deftest a-map-lies-in-a-map
  (setf (map-ref day 7) 70 (map-ref night 7) 71)
  (is (= (run-prog look (udp)) XDP_ABORTED))
  (setf (map-ref shifts 1) day)
  (is (= (run-prog look (udp)) 70))
  (setf (map-ref shifts 1) night)
  (is (= (run-prog look (udp)) 71))
  (is (equal (format nil "~a" (map-ref shifts 1)) "#<map night>")))

(deftest a-map-lies-under-a-key
  (is (= (run-prog look-by-name (udp)) XDP_ABORTED))
  (setf (map-ref night 7) 12 (map-ref named 77) night)
  (is (= (run-prog look-by-name (udp)) 12))
  (setf (map-ref named 77) nil)
  (is (= (run-prog look-by-name (udp)) XDP_ABORTED)))

(deftest what-does-not-belong-there
  (let ((why (handler-case (progn (setf (map-ref jumps 17) 'nothing) "") (error (e) (format nil "~a" e)))))
    (is (search "there is no program `nothing`" why)))
  (let ((why (handler-case (progn (setf (map-ref shifts 1) seen) "") (error (e) (format nil "~a" e)))))
    (is (search "`seen` is not like the maps in `shifts`: its type is :array, not :hash" why))))
