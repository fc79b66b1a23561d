;;; prints: printed t
;;; prints: frames t t
;;; prints: symbols t t
;;; prints: one t t
;; Stacks of the kernel as values: addresses in hexadecimal, a list of numbers, functions by name.
(defmap stacks :type :stack-trace :key u32 :value (array u64 127) :max-entries 1024)
(defmap ids :type :hash :key u32 :value u64 :max-entries 1024)

(defprog on-switch (:type :tp-btf :section "tp_btf/sched_switch" :license "GPL")
  (let ((id (get-stackid stacks 0)))
    (when (>= id 0) (incf (getmap ids (cast u32 id)))))
  0)

(attach on-switch)
(dotimes (i 20) (sleep 0.01))
(detach on-switch)
(let* ((stack (map-ref stacks (first (map-keys ids))))
       (frames (stack-frames stack))
       (names (ksyms stack)))
  (format t "printed ~a~%" (eql 0 (search "#<stack ffff" (format nil "~a" stack))))
  (format t "frames ~a ~a~%" (> (length frames) 1) (every (lambda (a) (> a #xff00000000000000)) frames))
  (format t "symbols ~a ~a~%" (= (length names) (length frames)) (if (find-if (lambda (n) (search "schedule" n)) names) t nil))
  ;; One name is that of a frame, without how far into the function it is; below all functions there is none.
  (format t "one ~a ~a~%" (eql 0 (search (ksym (second frames)) (second names))) (equal (list (ksym 16)) (ksyms '(16)))))
