;;; Counting in maps, from any type of program. The map is an ordinary one, keyed by whatever is grouped by; its values are
;;;
;;;   count! sum!       a number (u64; i64 for sums of signed numbers)
;;;   min! max!         a number in a hash map; 16 bytes (the number, and whether there is one) in an array
;;;   avg!              16 bytes: how many, and their sum
;;;   hist! lhist!      (array u64 n): counts by powers of two, or by steps
;;;
;;; Per-CPU maps are counted in plainly, which is fastest and loses nothing; others with atomic instructions.

(defmacro %count-in (map pointer offset delta)
  `(static-if (:per-cpu ,map)
     (setf (load u64 ,pointer ,offset) (+ (load u64 ,pointer ,offset) ,delta))
     (atomic-add ,pointer ,offset ,delta u64)))

(defmacro with-entry ((pointer map key) &body body)
  "BODY with POINTER bound to the value under KEY, which is made of zeros if it isn't there; nothing when the map is full."
  (let ((k (gensym "KEY")) (p (gensym "P")))
    `(let* ((,k ,key) (,p (map-lookup ,map ,k)))
       (static-if (:array ,map)
         0
         (unless ,p
           ;; Whoever comes first makes it; both find it then.
           (map-update ,map ,k (map-zero ,map) BPF_NOEXIST)
           (setf ,p (map-lookup ,map ,k))))
       (when-let ((,pointer ,p))
         ,@body
         0))))

(defmacro count! (map key)
  "One more under KEY."
  `(progn (incf (getmap ,map ,key)) 0))

(defmacro sum! (map key value)
  "VALUE more under KEY."
  `(progn (incf (getmap ,map ,key) ,value) 0))

(defmacro avg! (map key value)
  "VALUE counted for the average under KEY; the map's values are 16 bytes, how many and their sum."
  (let ((p (gensym "P")) (v (gensym "V")))
    `(static-if (:value-size ,map 16)
       (let ((,v (cast u64 ,value)))
         (with-entry (,p ,map ,key)
           (%count-in ,map ,p 0 1)
           (%count-in ,map ,p 8 ,v)))
       (compile-error "avg! needs a map whose values have 16 bytes: :value (array u64 2), how many and their sum"))))

(defmacro min! (map key value)
  "The least of all VALUEs under KEY."
  `(%extreme < ,map ,key ,value))

(defmacro max! (map key value)
  "The greatest of all VALUEs under KEY."
  `(%extreme > ,map ,key ,value))

(defmacro %extreme-cast (map value)
  `(static-if (:signed ,map) (cast i64 ,value) (cast u64 ,value)))

(defmacro %extreme (better map key value)
  (let ((p (gensym "P")) (v (gensym "V")) (k (gensym "K")) (found (gensym "FOUND")))
    `(static-if (:value-size ,map 8)
       (static-if (:array ,map)
         (compile-error "in an array nothing tells a 0 from no value: give the map values of 16 bytes, (array u64 2), or use a hash map")
         (let* ((,k ,key) (,v (%extreme-cast ,map ,value)) (,found (map-lookup ,map ,k)))
           (unless ,found
             (map-update ,map ,k ,v BPF_NOEXIST)
             (setf ,found (map-lookup ,map ,k)))
           (when-let ((,p ,found))
             (static-if (:per-cpu ,map)
               (when (,better ,v (%extreme-cast ,map (load u64 ,p))) (store u64 ,p 0 (cast u64 ,v)))
               (%extreme-exchange ,better ,map ,p ,v))
             0)))
       (static-if (:value-size ,map 16)
         (static-if (:per-cpu ,map)
           (let ((,v (%extreme-cast ,map ,value)))
             (with-entry (,p ,map ,key)
               (when (or (zerop (load u64 ,p 8)) (,better ,v (%extreme-cast ,map (load u64 ,p))))
                 (store u64 ,p 0 (cast u64 ,v))
                 (store u64 ,p 8 1))))
           (compile-error "min! and max! keep 16 bytes only in per-CPU maps: two words can't be changed as one"))
         (compile-error "min! and max! need a map whose values are numbers of 8 bytes (or 16, in a per-CPU array)")))))

(defmacro %extreme-exchange (better map p v)
  "Puts V at P unless what is there is better, whatever other CPUs do meanwhile: sixteen tries, more than CPUs meet at once."
  (let ((old (gensym "OLD")) (seen (gensym "SEEN")) (done (gensym "DONE")))
    `(let ((,old u64 (load u64 ,p)) (,done u64 0))
       (while (and (not ,done) (,better ,v (%extreme-cast ,map ,old))) :max 16
         (let ((,seen u64 (atomic-cmpxchg ,p 0 ,old (cast u64 ,v) u64)))
           (if (= ,seen ,old) (setf ,done 1) (setf ,old ,seen)))))))

(defmacro hist! (map key &optional (value nil keyed))
  "VALUE counted by its power of two, in the entry under KEY, an (array u64 n). (hist! map value): the map itself is the
histogram, an array of u64. Slot n counts from 2^n to 2^(n+1) - 1; slot 0 also 0; the last what is above."
  (if keyed
      (%hist-entry map key `(log2 (cast u64 ,value)))
      `(progn (incf (getmap ,map (cast u32 (min (log2 (cast u64 ,key)) (- (map-entries-max ,map) 1))))) 0)))

(defmacro lhist! (map key value low high step)
  "VALUE counted by steps from LOW to HIGH, constants, in the entry under KEY, an (array u64 n) with n = (HIGH - LOW) / STEP + 2 (rounded up):
slot 0 counts what is below LOW, the last one HIGH and more."
  (let ((v (gensym "V")) (n (gensym "N")))
    (declare (ignorable n))
    (%hist-entry map key
                 `(let ((,v ,value))
                    (cond ((< ,v ,low) 0)
                          ((>= ,v ,high) (+ (/ (+ (- ,high ,low) (- ,step 1)) ,step) 1))
                          (t (+ (/ (cast u64 (- ,v ,low)) ,step) 1)))))))

(defun %hist-entry (map key slot)
  (let ((p (gensym "P")) (i (gensym "I")))
    `(let ((,i (min ,slot (- (/ (map-value-size ,map) 8) 1))))
       (with-entry (,p ,map ,key)
         (static-if (:per-cpu ,map)
           (setf (aref ,p ,i) (+ (aref ,p ,i) 1))
           (atomic-incf (aref ,p ,i)))))))

(defun %added (value)
  "A pair of numbers; of a per-CPU map's the sums over CPUs."
  (if (and (plusp (length value)) (vectorp (aref value 0)))
      (list (reduce #'+ (map 'list (lambda (v) (aref v 0)) value)) (reduce #'+ (map 'list (lambda (v) (aref v 1)) value)))
      (list (aref value 0) (aref value 1))))

(defun averages (map)
  "What `avg!` counted: a list of (key count average), the average a ratio or whole number."
  (mapcan (lambda (entry)
            (destructuring-bind (count sum) (%added (cdr entry))
              (when (plusp count) (list (list (car entry) count (/ sum count))))))
          (map-entries map)))

(defun print-averages (map &key (unit "average"))
  "Prints what `avg!` counted: per key how many, and their average."
  (format t "~20a  ~10@a  ~16@a~%" "key" "count" unit)
  (dolist (row (averages map))
    (destructuring-bind (key count average) row
      (format t "~20a  ~10@a  ~16@a~%" key count (if (integerp average) average (format nil "~,2f" average))))))
