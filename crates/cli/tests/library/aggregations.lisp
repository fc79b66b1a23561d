;;; Counting in maps: every form, in hash and array maps, per CPU and shared, from several types of program.

(defmap counts :type :hash :key u32 :value u64 :max-entries 16)
(defmap per-cpu-counts :type :percpu-hash :key u32 :value u64 :max-entries 16)
(defmap slots :type :array :key u32 :value u64 :max-entries 8)
(defmap signed-sums :type :hash :key u32 :value i64 :max-entries 16)
(defmap averages :type :hash :key u32 :value (array u64 2) :max-entries 16)
(defmap per-cpu-averages :type :percpu-array :key u32 :value (array i64 2) :max-entries 4)
(defmap least :type :hash :key u32 :value u64 :max-entries 16)
(defmap most :type :hash :key u32 :value i64 :max-entries 16)
(defmap per-cpu-least :type :percpu-hash :key u32 :value i64 :max-entries 16)
(defmap array-least :type :percpu-array :key u32 :value (array u64 2) :max-entries 4)
(defmap array-most :type :percpu-array :key u32 :value (array i64 2) :max-entries 4)
(defmap keyed-hist :type :hash :key u32 :value (array u64 16) :max-entries 4)
(defmap per-cpu-hist :type :percpu-hash :key u32 :value (array u64 64) :max-entries 4)
(defmap whole-hist :type :percpu-array :key u32 :value u64 :max-entries 10)
(defmap steps :type :hash :key u32 :value (array u64 7) :max-entries 4)

;; The value is the packet's last eight bytes.
(defmacro value () `(cast i64 (ntohll (load u64 data 20))))

(defprog aggregate (:type :xdp)
  (with-packet (data end :min-len 28)
    (let ((v (value)))
      (count! counts 1)
      (count! per-cpu-counts 1)
      (count! slots 3)
      (sum! counts 2 v)
      (sum! signed-sums 2 v)
      (avg! averages 1 v)
      (avg! per-cpu-averages 1 v)
      (min! least 1 v)
      (max! most 1 v)
      (min! per-cpu-least 1 v)
      (min! array-least 1 v)
      (max! array-most 1 v)
      (hist! keyed-hist 7 v)
      (hist! per-cpu-hist 7 v)
      (hist! whole-hist v)
      (lhist! steps 1 v 0 50 10)))
  XDP_PASS)

(defun feed (&rest values)
  (dolist (v values)
    (run-prog aggregate (packet (eth) (payload 6 (loop for i from 7 downto 0 collect (logand 255 (ash v (* -8 i)))))))))

(defun total (x) (if (vectorp x) (reduce #'+ x) x))

(defun slots-of (v) (loop for x across v for i from 0 when (plusp x) collect (list i x)))

(defun all-cpus (per-cpu)
  "A per-CPU array value, its elements added up."
  (let ((lists (map 'list (lambda (v) (coerce v 'list)) per-cpu)))
    (coerce (apply #'mapcar #'+ lists) 'vector)))

(deftest counting
  (feed 5 5 9)
  (is (= (map-ref counts 1) 3))
  (is (= (total (map-ref per-cpu-counts 1)) 3))
  (is (= (map-ref slots 3) 3)))

(deftest sums
  (feed 5 -7 9)
  (is (= (map-ref signed-sums 2) 7))
  (is (= (map-ref counts 2) 7)))

(deftest averages
  (feed 10 20 60)
  (is (equalp (map-ref averages 1) #(3 90)))
  (is (equalp (all-cpus (map-ref per-cpu-averages 1)) #(3 90)))
  (feed -30)
  (is (equalp (all-cpus (map-ref per-cpu-averages 1)) #(4 60))))

(deftest extremes
  (feed 7)
  (is (= (map-ref least 1) 7))
  (is (= (map-ref most 1) 7))
  (feed 9 3 8)
  (is (= (map-ref least 1) 3))
  (is (= (map-ref most 1) 9))
  (feed 0)
  (is (= (map-ref least 1) 0) "0 is a value like any other")
  (feed 5)
  (is (= (map-ref least 1) 0)))

(deftest extremes-are-signed-where-the-map-is
  (feed -5 -9 -2)
  (is (= (map-ref most 1) -2))
  (is (= (reduce #'min (map-ref per-cpu-least 1)) -9))
  (is (= (map-ref least 1) (- (expt 2 64) 9)) "of an unsigned map not"))

(deftest extremes-in-arrays
  (feed 0 5)
  (is (find-if (lambda (v) (equalp v #(0 1))) (map-ref array-least 1)))
  (is (find-if (lambda (v) (equalp v #(5 1))) (map-ref array-most 1)))
  (feed -3)
  (is (find-if (lambda (v) (equalp v #(5 1))) (map-ref array-most 1))))

(deftest histograms
  (feed 0 1 2 3 4 1023 1024 70000 (expt 2 40))
  (is (equal (slots-of (map-ref keyed-hist 7)) '((0 2) (1 2) (2 1) (9 1) (10 1) (15 2))) "the last slot takes what is above")
  (is (equal (slots-of (all-cpus (map-ref per-cpu-hist 7))) '((0 2) (1 2) (2 1) (9 1) (10 1) (16 1) (40 1))))
  (is (equal (loop for i from 0 below 10 collect (total (map-ref whole-hist i))) '(2 2 1 0 0 0 0 0 0 4))))

(deftest steps-of-ten
  (feed -1 0 9 10 49 50 1000)
  (is (equalp (map-ref steps 1) #(1 2 1 0 0 1 2))))

(defmacro printed (form)
  `(with-output-to-string (*standard-output*) ,form))

(deftest what-is-printed
  (feed 0 1 2 3 1000)
  (is (search "[7]" (printed (hist keyed-hist :unit "bytes"))))
  (is (search "512 … 1023" (printed (hist per-cpu-hist))))
  (is (search "0 … 1                     2" (printed (hist whole-hist))))
  (is (search "0 … 9                     4" (printed (hist steps :low 0 :high 50 :step 10))))
  (is (equal (averages averages) '((1 5 1006/5))))
  (is (search "201.20" (printed (print-averages averages))))
  (is (equal (remove 0 (averages per-cpu-averages) :key #'second) '((1 5 1006/5)))))

;; From other types of program.
(defmap by-type :type :percpu-hash :key u32 :value u64 :max-entries 8)
(defmap sizes :type :percpu-hash :key u32 :value (array u64 32) :max-entries 8)

(defprog in-tc (:type :tc) (count! by-type 1) (hist! sizes 1 (ctx len)) TC_ACT_OK)
(defprog in-cgroup (:type :cgroup-skb :section "cgroup_skb/egress") (count! by-type 2) (hist! sizes 2 (ctx len)) 1)
(defprog in-filter (:type :socket-filter) (count! by-type 3) (hist! sizes 3 (ctx len)) -1)
(defprog in-raw (:type :raw-tracepoint :section "raw_tp/sys_enter") (sum! by-type 4 (ctx args 1)) (hist! sizes 4 (ctx args 1)) 0)

(deftest in-every-type
  (run-prog in-tc (packet (eth) (ipv4) (udp) (payload 100)))
  (run-prog in-cgroup (packet (eth) (ipv4) (udp) (payload 100)))
  (run-prog in-filter (packet (eth) (ipv4) (udp) (payload 100)))
  (run-prog in-raw nil :ctx (context :raw-tracepoint 1 300))
  (is (equal (loop for i from 1 to 4 collect (total (map-ref by-type i))) '(1 1 1 300)))
  (is (equal (loop for i from 1 to 4 collect (caar (slots-of (all-cpus (map-ref sizes i))))) '(7 7 7 8))))

;; The last step is shorter than the others: what is in it is not what is at the end and above.
(defmap uneven :type :hash :key u32 :value (array u64 5) :max-entries 4)
(defprog by-uneven-steps (:type :xdp)
  (lhist! uneven 1 (- (xdp-data-end) (xdp-data)) 60 85 10)
  XDP_PASS)
(deftest steps-that-do-not-come-out-even
  (dolist (n '(60 69 70 80 84 85 300))
    (run-prog by-uneven-steps (packet (eth) (payload (- n 14) 0))))
  (is (equalp (map-ref uneven 1) #(0 2 1 2 2))))
