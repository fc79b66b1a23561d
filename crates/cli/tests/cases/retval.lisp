;;; The result of the function that a program runs behind, next to its arguments.
;;; only: vm fexit programs can't be test-run
;;; ctx: 0010000000000000 0020000000000000 6400000000000000 0030000000000000 f2ffffffffffffff
;;; result: 0
;;; out: -14 100 1
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :fexit :section "fexit/vfs_read" :license "GPL")
  (setf (getmap out 0) (retval)               ; ssize_t: signed
        (getmap out 1) (arg count)
        (getmap out 2) (< (retval) 0))
  0)
