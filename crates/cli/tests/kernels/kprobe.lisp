;;; needs: kprobes
;;; expect: out[0] = -100
;;; expect: out[1] = open-flags
;;; expect: out[2] = -2
;;; expect: out[3] = 1
;; Arguments by name in the registers of a kernel function, and its result when it returns.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 4)
(defmap entered-by :type :hash :key u64 :value u64 :max-entries 64)

(defstruct name-buffer (text (array char 16)))

(defprog entered (:type :kprobe :section "kprobe/do_sys_openat2" :license "GPL")
  (when (= (ash (get-current-pid-tgid) -32) (getmap want 0))
    (let ((name (make-name-buffer)))
      (probe-read-user-str (name-buffer-text-ptr name) 16 (arg filename))
      (when (= 0 (memcmp (name-buffer-text-ptr name) "/wh-missing" 12))
        (setf (getmap out 0) (arg dfd)
              (getmap out 1) (cast i64 (-> (arg how) flags))
              (getmap entered-by (get-current-pid-tgid)) 1))))
  0)

(defprog left (:type :kprobe :section "kretprobe/do_sys_openat2" :license "GPL")
  (when (= 1 (getmap entered-by (get-current-pid-tgid)))
    (setf (getmap out 2) (retval))
    (incf (getmap out 3))
    (remmap entered-by (get-current-pid-tgid)))
  0)
