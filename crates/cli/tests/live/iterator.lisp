;;; prints: one line for each call t
;;; prints: this process is among them t
;; An iterator over tasks: its text, and what it left in a map.
(defmap seen :type :array :key u32 :value u64 :max-entries 2)

(defprog tasks (:type :iter :section "iter/task")
  (when-let ((task (arg task)))
    (incf (getmap seen 0))
    (seq-print (-> (arg meta) seq) "%d %d
" (-> task pid) (-> task tgid)))
  0)

(defun lines (text) (count #\Newline text))

(let ((text (read-iterator tasks)))
  (format t "one line for each call ~a~%" (= (lines text) (map-ref seen 0)))
  (format t "this process is among them ~a~%" (> (lines text) 1)))
