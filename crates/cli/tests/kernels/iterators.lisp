;;; text: tasks has task {pid} of {pid}
;;; text: maps has map out of 4 entries
;; Iterators over tasks and maps: what they write.
(defmap out :type :array :key u32 :value u64 :max-entries 4)

(defprog tasks (:type :iter :section "iter/task" :license "GPL")
  (when-let ((task (arg task)))
    (seq-print (-> (arg meta) seq) "task %d of %d
" (-> task pid) (-> task tgid)))
  0)

(defprog maps (:type :iter :section "iter/bpf_map" :license "GPL")
  (when-let ((map (arg map)))
    (let ((name (make-map-name)))
      (probe-read-kernel-str (map-name-text-ptr name) 16 (-> map name))
      (seq-print (-> (arg meta) seq) "map %s of %d entries
" (map-name-text-ptr name) (-> map max_entries))))
  0)

(defstruct map-name (text (array char 16)))
