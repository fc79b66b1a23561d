;;; Forms for programs that trace.

(defmacro fill-process-info (event &key pid-field uid-field timestamp-field comm-field (comm-size 16))
  "Sets the fields of EVENT that are named, each by its accessor, from the process that runs."
  `(progn
     ,@(when pid-field `((setf (,pid-field ,event) (ash (get-current-pid-tgid) -32))))
     ,@(when uid-field `((setf (,uid-field ,event) (cast u32 (get-current-uid-gid)))))
     ,@(when timestamp-field `((setf (,timestamp-field ,event) (ktime-get-ns))))
     ,@(when comm-field `((get-current-comm (,comm-field ,event) ,comm-size)))))

(defmacro do-user-ptrs ((var base count max &key (index (gensym "I"))) &body body)
  "BODY with VAR bound to each of COUNT (at most MAX) pointers in an array of the process at BASE."
  (let ((b (gensym "BASE")) (n (gensym "COUNT")))
    `(let ((,b ,base) (,n ,count))
       (dotimes (,index ,n :max ,max)
         (let ((,var (user-load u64 (+ ,b (* ,index 8)))))
           (declare (ignorable ,var))
           ,@body)))))

(defmacro do-user-array ((var type base count max &key (index (gensym "I"))) &body body)
  "BODY with VAR bound to each of COUNT (at most MAX) elements of TYPE in an array of the process at BASE."
  (let ((b (gensym "BASE")) (n (gensym "COUNT")))
    `(let ((,b ,base) (,n ,count))
       (dotimes (,index ,n :max ,max)
         (let ((,var (user-load ,type (+ ,b (* ,index (sizeof ,type))))))
           (declare (ignorable ,var))
           ,@body)))))
