;;; Forms on maps that are made of others.

(defmacro do-map ((key value map) &body body)
  "BODY for every entry of MAP, with KEY and VALUE bound to what it holds (of structs, pointers). Yields their number."
  (let ((k (gensym "KEY")) (v (gensym "VALUE")))
    `(for-each-map-elem ,map
       (lambda (,k ,v)
         (let ((,key (deref ,k)) (,value (deref ,v)))
           (declare (ignorable ,key ,value))
           ,@body
           0)))))
