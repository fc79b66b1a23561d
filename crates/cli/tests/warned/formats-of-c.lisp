;; codes: W0028 W0028
(defun main (n)
  (format t "%d reads by %s" n "sh")
  (dotimes (i 3)
    (format nil "0x%08lx" i))
  ;; A percent sign alone is none of C's, and what has a tilde is meant.
  (format t "100%")
  (format t "~d%d" n)
  (format t "50% done" n)
  (format t "~d%" n))
