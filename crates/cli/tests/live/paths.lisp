;;; prints: a path by accessor and by chain t
;;; prints: paths of files begin at the root t
;; The path that lies in a file, in the kernel's own union or not, is an object that `d-path` takes.
(defmap places :type :percpu-array :key u32 :value (array u8 256) :max-entries 1)
(defmap seen :type :array :key u32 :value u64 :max-entries 4)
(import-kernel-struct file f_path)

(defprog files (:type :iter :section "iter/task_file" :license "GPL")
  (when-let ((f (arg file)) (place (map-lookup places 0)))
    (when (> (d-path (file-f-path-ptr f) place 256) 0)
      (incf (getmap seen 0)))
    (let ((path (-> f f_path)))
      (when (> (d-path path place 256) 0)
        (incf (getmap seen 1))
        ;; Pipes and sockets have names of another kind.
        (when (= (load u8 place 0) #\/) (incf (getmap seen 2))))))
  0)

(read-iterator files)
(format t "a path by accessor and by chain ~a~%" (and (> (map-ref seen 0) 0) (= (map-ref seen 0) (map-ref seen 1))))
(format t "paths of files begin at the root ~a~%" (> (map-ref seen 2) 0))
