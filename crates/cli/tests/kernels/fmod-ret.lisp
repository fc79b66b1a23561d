;;; needs: trampolines
;;; expect: open-denied = -13
;;; expect: out[0] = denied-inode
;;; expect: out[1] = 0
;; A hook's result changed: one file can't be opened by the process that asked for it, by a number of our own.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 2)

(defstruct name-buffer (text (array char 16)))

(defprog refuse (:type :fmod-ret :section "fmod_ret/security_file_open" :license "GPL")
  (let ((name (make-name-buffer)))
    (probe-read-kernel-str (name-buffer-text-ptr name) 16 (-> (arg file) f_path dentry d_name name))
    (if (and (= (ash (get-current-pid-tgid) -32) (getmap want 0))
             (= 0 (memcmp (name-buffer-text-ptr name) "wh-denied" 10)))
        (progn
          (setf (getmap out 0) (cast i64 (-> (arg file) f_inode i_ino))
                (getmap out 1) (retval))
          -13)
        0)))
