;;; Maps as places of the host: keys and values by their declared types.

(defstruct who (pid u32) (cpu u32))
(defstruct what (n u64) (last i32))
(defmap seen :type :hash :key who :value what :max-entries 8)
(defmap plain :type :array :key u32 :value u64 :max-entries 4)

(defprog main (:type :xdp)
  (let ((k (make-who :pid 7 :cpu 1)))
    (setf (getmap seen k) (make-what :n 40 :last -2)))
  (incf (getmap plain 2) 5)
  XDP_PASS)

(defun sorted (list) (sort (copy-list list) #'<))

(deftest entries
  (run-prog main (packet (eth)))
  (setf (map-ref seen (make-who-record :pid 9 :cpu 3)) (make-what-record :n 1 :last 2))
  (is (= (map-count seen) 2))
  (is (equal (sorted (mapcar #'who-record-pid (map-keys seen))) '(7 9)))
  (is (equal (sorted (map-keys plain)) '(0 1 2 3)))
  (let ((sum 0) (lasts nil))
    (do-map-entries (k v seen)
      (incf sum (* (who-record-cpu k) (what-record-n v)))
      (push (what-record-last v) lasts))
    (is (= sum 43))
    (is (equal (sorted lasts) '(-2 2))))
  (is (equal (sorted (mapcar #'cdr (map-entries plain))) '(0 0 0 5)))
  (map-delete seen (make-who-record :pid 7 :cpu 1))
  (is (null (map-ref seen (make-who-record :pid 7 :cpu 1))))
  (is (= (what-record-n (map-ref seen (make-who-record :pid 9 :cpu 3))) 1))
  (map-clear seen)
  (is (null (map-keys seen)))
  (is (= (map-count seen) 0)))
