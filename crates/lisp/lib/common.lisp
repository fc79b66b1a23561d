;;; The part of the language that is said in itself. Read only when it is used.

(defmacro with-open-file ((stream path &key (direction :input) (if-exists :supersede) (if-does-not-exist :error) element-type external-format) &body body)
  "BODY with STREAM on a file: its text (:input), or what is to be its text (:output) once BODY has ended well."
  (declare (ignore element-type external-format))
  (case direction
    (:input `(let ((,stream (%open-text ,path ,if-does-not-exist))) ,@body))
    (:output `(let ((,stream (make-string-output-stream)))
                (multiple-value-prog1 (progn ,@body)
                  (%write-file ,path (get-output-stream-string ,stream) ,if-exists))))
    (t (error "a file is opened for :input or :output, not for ~s" direction))))

(defun %open-text (path if-does-not-exist)
  (let ((text (%read-file path (eq if-does-not-exist :error))))
    (and text (make-string-input-stream text))))

(defmacro with-standard-io-syntax (&body body)
  "BODY; printing is always the standard's here."
  `(progn ,@body))

(defmacro with-compilation-unit (options &body body)
  "BODY."
  (declare (ignore options))
  `(progn ,@body))

(defmacro with-simple-restart ((name text &rest arguments) &body body)
  "BODY; nobody is there to choose the restart."
  (declare (ignore name text arguments))
  `(progn ,@body))

(defun subst (new old tree &key (test #'eql) (key #'identity))
  "TREE with NEW for every part that is OLD."
  (cond ((funcall test old (funcall key tree)) new)
        ((consp tree)
         (cons (subst new old (car tree) :test test :key key) (subst new old (cdr tree) :test test :key key)))
        (t tree)))

(defun nsubst (new old tree &key (test #'eql) (key #'identity))
  "The same; the tree is not kept."
  (subst new old tree :test test :key key))

(defun sublis (pairs tree &key (test #'eql))
  "TREE with the value of each pair for every part that is its key."
  (let ((pair (assoc tree pairs :test test)))
    (cond (pair (cdr pair))
          ((consp tree) (cons (sublis pairs (car tree) :test test) (sublis pairs (cdr tree) :test test)))
          (t tree))))

(defun tree-equal (a b &key (test #'eql))
  "Whether two trees have the same shape and leaves."
  (cond ((and (consp a) (consp b))
         (and (tree-equal (car a) (car b) :test test) (tree-equal (cdr a) (cdr b) :test test)))
        ((or (consp a) (consp b)) nil)
        (t (and (funcall test a b) t))))

(defun tailp (part list)
  "Whether PART is LIST or an end of it."
  (loop
    (cond ((eql part list) (return t))
          ((atom list) (return nil)))
    (setf list (cdr list))))

(defun ldiff (list part)
  "What of LIST stands before PART."
  (let ((out nil))
    (loop
      (when (or (eql part list) (atom list))
        (return (nreverse out)))
      (push (car list) out)
      (setf list (cdr list)))))

(defun nunion (a b &key (test #'eql) (key #'identity))
  "The union of two lists."
  (union a b :test test :key key))

(defun nintersection (a b &key (test #'eql) (key #'identity))
  "What two lists have in common."
  (intersection a b :test test :key key))

(defun nbutlast (list &optional (n 1))
  "LIST without its last N."
  (butlast list n))

(defun nsubstitute (new old sequence &key (test #'eql))
  "SEQUENCE with NEW for every OLD."
  (substitute new old sequence :test test))

(defun array-rank (array)
  "The number of dimensions: 1."
  (check-type array vector)
  1)

(defun array-dimensions (array)
  "The dimensions, as a list."
  (list (array-dimension array 0)))

(defun array-total-size (array)
  "The number of elements there is room for."
  (array-dimension array 0))

(defun row-major-aref (array index)
  "An element."
  (aref array index))

(defun both-case-p (char)
  "Whether a character has another case."
  (char/= (char-upcase char) (char-downcase char)))

(defun logeqv (&rest integers)
  "Bits on which an even number differ."
  (reduce (lambda (a b) (lognot (logxor a b))) integers :initial-value -1))

(defun lognand (a b)
  "Not and."
  (lognot (logand a b)))

(defun lognor (a b)
  "Not or."
  (lognot (logior a b)))

(defun logandc1 (a b)
  "And, with the first negated."
  (logand (lognot a) b))

(defun logandc2 (a b)
  "And, with the second negated."
  (logand a (lognot b)))

(defun logorc1 (a b)
  "Or, with the first negated."
  (logior (lognot a) b))

(defun logorc2 (a b)
  "Or, with the second negated."
  (logior a (lognot b)))

(defun ldb-test (place integer)
  "Whether a field has a bit that is 1."
  (/= 0 (ldb place integer)))

(defun mask-field (place integer)
  "A field's bits where they stand."
  (dpb (ldb place integer) place 0))

(defun deposit-field (new place integer)
  "INTEGER with the field's bits of NEW."
  (dpb (ldb place new) place integer))

(defun %civil (days)
  ;; Year, month and day of a number of days since the beginning of 1900, by eras of 400 years that begin with March.
  (let* ((z (+ days 693901)) (era (floor z 146097)) (doe (- z (* era 146097)))
         (yoe (floor (- doe (floor doe 1460) (- (floor doe 36524)) (floor doe 146096)) 365))
         (doy (- doe (- (+ (* 365 yoe) (floor yoe 4)) (floor yoe 100))))
         (mp (floor (+ (* 5 doy) 2) 153))
         (day (1+ (- doy (floor (+ (* 153 mp) 2) 5))))
         (month (if (< mp 10) (+ mp 3) (- mp 9))))
    (values (+ yoe (* era 400) (if (<= month 2) 1 0)) month day)))

(defun decode-universal-time (time &optional (zone 0))
  "Second, minute, hour, day, month, year, day of the week (Monday is 0), nil and the zone; of universal time unless ZONE says."
  (multiple-value-bind (days second-of-day) (floor (- time (* zone 3600)) 86400)
    (multiple-value-bind (year month day) (%civil days)
      (values (mod second-of-day 60) (mod (floor second-of-day 60) 60) (floor second-of-day 3600)
              day month year (mod days 7) nil zone))))

(defun encode-universal-time (second minute hour day month year &optional (zone 0))
  "The number of seconds since 1900."
  (let* ((y (if (<= month 2) (1- year) year)) (era (floor y 400)) (yoe (- y (* era 400)))
         (doy (+ (floor (+ (* 153 (if (> month 2) (- month 3) (+ month 9))) 2) 5) (1- day)))
         (doe (+ (* yoe 365) (floor yoe 4) (- (floor yoe 100)) doy))
         (days (+ (* era 146097) doe -693901)))
    (+ (* 86400 days) (* 3600 (+ hour zone)) (* 60 minute) second)))

(defun get-decoded-time ()
  "The parts of the present universal time."
  (decode-universal-time (get-universal-time)))

(defun hash-table-alist (table)
  "A table's entries, as a list of (key . value)."
  (let ((out nil))
    (maphash (lambda (k v) (push (cons k v) out)) table)
    (nreverse out)))

(defun hash-table-keys (table)
  "A table's keys."
  (mapcar #'car (hash-table-alist table)))

(defun hash-table-values (table)
  "A table's values."
  (mapcar #'cdr (hash-table-alist table)))

(defun ensure-list (thing)
  "A list as it is, anything else as the only element of one."
  (if (listp thing) thing (list thing)))
