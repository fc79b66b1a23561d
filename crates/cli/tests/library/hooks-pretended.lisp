;;; An LSM program: its arguments are structs of the test's own, its result is a signed number.
;;; only: vm the kernel has no test run for LSM programs
(defstruct limit (rate u64) (burst u64))
(defmap limits :type :hash :key u32 :value limit :max-entries 4)
(defprog no-writers (:type :lsm :section "lsm/file_open")
  (if (= (-> (arg file) f_flags) 2) -1 0))

(deftest a-hook-says-no
  (is (= (run-prog no-writers nil :ctx (context :lsm (kernel-object 'file :f-flags 2) 0)) -1))
  (is (= (run-prog no-writers nil :ctx (context :lsm (kernel-object 'file :f-flags 1) 0)) 0)))

(deftest a-context-is-made-of-arguments
  (let ((why (handler-case (context :lsm "file_open" 1) (error (e) (format nil "~a" e)))))
    (is (search "the context of :lsm is made of the hook's arguments" why))
    (is (search "\"file_open\" is none" why))))

(deftest structs-are-made-as-in-programs
  (setf (map-ref limits 1) (make-limit :rate 5))
  (is (= (limit-rate (map-ref limits 1)) 5))
  (is (= (limit-burst (make-limit-record :rate 5)) 0)))
