;;; Programs at the kernel's own functions: their arguments by name, their results.
;;; only: vm the kernel has no test run for these
;;; target: 6.18/v4

(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defun outs (n) (loop for i from 0 below n collect (map-ref out i)))

(defprog of-fentry (:type :fentry :section "fentry/vfs_read")
  (setf (getmap out 0) (arg count))
  0)

(defprog of-tracing (:type :tracing :section "fentry/vfs_read")
  (setf (getmap out 1) (arg count))
  0)

(defprog of-fexit (:type :fexit :section "fexit/vfs_read")
  (setf (getmap out 2) (retval))
  0)

(defprog of-fmod-ret (:type :fmod-ret :section "fmod_ret/security_file_open")
  (if (< (retval) 0) -1 0))

(defprog of-lsm (:type :lsm :section "lsm/file_mprotect")
  (setf (getmap out 3) (arg prot))
  (retval))

(defprog of-lsm-mac (:type :lsm-mac :section "lsm/file_mprotect")
  (if (= (arg prot) 7) -1 0))

(defprog of-lsm-cgroup (:type :lsm-cgroup :section "lsm_cgroup/socket_create")
  (if (= (arg family) 2) 0 1))

(deftest functions
  (run-prog of-fentry nil :ctx (context :fentry 1 2 30 4))
  (run-prog of-tracing nil :ctx (context :fentry 1 2 31 4))
  (run-prog of-fexit nil :ctx (context :fexit 1 2 30 4 29))
  (is (equal (outs 3) '(30 31 29))))

(deftest results
  (is (= (run-prog of-fmod-ret nil :ctx (context :fmod-ret 1 #xfffffffffffffff2)) -1))
  (is (= (run-prog of-fmod-ret nil :ctx (context :fmod-ret 1 0)) 0)))

(deftest security
  (is (= (run-prog of-lsm nil :ctx (context :lsm 1 2 5 0)) 0))
  (is (= (map-ref out 3) 5))
  (is (= (run-prog of-lsm-mac nil :ctx (context :lsm 1 7 7 0)) -1))
  (is (= (run-prog of-lsm-cgroup nil :ctx (context :lsm 2 1 0 0 0)) 0))
  (is (= (run-prog of-lsm-cgroup nil :ctx (context :lsm 10 1 0 0 0)) 1)))
