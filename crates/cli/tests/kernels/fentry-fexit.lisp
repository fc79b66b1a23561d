;;; needs: trampolines
;;; expect: out[0] = -100
;;; expect: out[1] = open-flags
;;; expect: out[2] = -2
;;; expect: out[3] = -100
;;; expect: out[4] = 1
;;; expect: out[5] = 1
;; Arguments by name and type at a function's entry and end, and its result there: the stimulus opens a file that is
;; not there.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 8)

(defstruct name-buffer (text (array char 16)))

(defmacro when-ours (&body body)
  `(when (= (ash (get-current-pid-tgid) -32) (getmap want 0))
     (let ((name (make-name-buffer)))
       (probe-read-user-str (name-buffer-text-ptr name) 16 (arg filename))
       (when (= 0 (memcmp (name-buffer-text-ptr name) "/wh-missing" 12))
         ,@body))))

(defprog entered (:type :fentry :section "fentry/do_sys_openat2" :license "GPL")
  (when-ours
    (setf (getmap out 0) (arg dfd)
          (getmap out 1) (cast i64 (-> (arg how) flags)))
    (incf (getmap out 4)))
  0)

(defprog left (:type :fexit :section "fexit/do_sys_openat2" :license "GPL")
  (when-ours
    (setf (getmap out 2) (retval)
          (getmap out 3) (arg dfd))
    (incf (getmap out 5)))
  0)
