;;; needs: trampolines
;;; expect: out[0] = denied-inode
;;; expect: out[1] > 10
;;; expect: out[2] = 47
;;; expect: out[3] > 0
;; Paths that lie inside of other objects: a file's own, and the process's directory. Their addresses are objects of the
;; kernel's, too: helpers take them, and chains go on from them.
(defmap want :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value i64 :max-entries 4)
(defmap places :type :percpu-array :key u32 :value (array u8 256) :max-entries 1)

(defstruct name-buffer (text (array char 16)))

(defprog permitted (:type :fentry :section "fentry/security_file_permission" :license "GPL")
  (let ((name (make-name-buffer)) (path (-> (arg file) f_path)))
    (probe-read-kernel-str (name-buffer-text-ptr name) 16 (-> path dentry d_name name))
    (when (and (= (ash (get-current-pid-tgid) -32) (getmap want 0))
               (= 0 (memcmp (name-buffer-text-ptr name) "wh-denied" 10)))
      (when-let ((place (map-lookup places 0)))
        (setf (getmap out 0) (cast i64 (-> path dentry d_inode i_ino))
              (getmap out 1) (d-path path place 256)
              (getmap out 2) (load u8 place 0)
              (getmap out 3) (d-path (-> (get-current-task-btf) fs pwd) place 256)))))
  0)
