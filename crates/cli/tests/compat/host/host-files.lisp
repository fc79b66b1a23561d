;;; Files written and read: `with-open-file`, `read-line`, `read`, `load`; the arguments in `sb-ext:*posix-argv*`.
;;; out: wrote t
;;; out: one (two 2) nil
;;; out: one+
;;; out: kept
;;; out: whistler nil
(defparameter *path* (format nil "~a/notes.txt" (posix-getenv "TEST_DIR")))
(with-open-file (out *path* :direction :output :if-exists :supersede)
  (format out "one~%(two 2)~%"))
(format t "wrote ~a~%" (not (null (probe-file *path*))))
(with-open-file (in *path*)
  (let* ((a (read-line in)) (b (read in)) (c (read-line in nil)) (d (read-line in nil)))
    (format t "~a ~a ~a~%" a b (or d (and (string/= c "") c)))))
(with-open-file (out *path* :direction :output :if-exists :append)
  (format out "one+~%"))
(format t "~a~%" (with-open-file (in *path*) (let ((last nil)) (loop (let ((line (read-line in nil))) (unless line (return last)) (setf last line))))))
(handler-case (with-open-file (out *path* :direction :output :if-exists :error) (write-line "lost" out))
  (file-error () (format t "kept~%")))
(format t "~a ~a~%" (first sb-ext:*posix-argv*) (second sb-ext:*posix-argv*))
