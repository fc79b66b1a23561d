;;; needs: trampolines
;;; expect: open-denied = -1
;;; expect: out[0] = denied-inode
;;; expect: out[1] > 0
;; An LSM program that refuses to open one file, and lets all others through.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 2)

(defstruct name-buffer (text (array char 16)))

(defprog refuse (:type :lsm :section "lsm/file_open" :license "GPL")
  (let ((name (make-name-buffer))
        (ours (= (ash (get-current-pid-tgid) -32) (getmap want 0))))
    (probe-read-kernel-str (name-buffer-text-ptr name) 16 (-> (arg file) f_path dentry d_name name))
    (cond ((not ours) 0)
          ((= 0 (memcmp (name-buffer-text-ptr name) "wh-denied" 10))
           (setf (getmap out 0) (cast i64 (-> (arg file) f_inode i_ino)))
           -1)
          (t (incf (getmap out 1)) 0))))
