;;; The loader's interface as far as it is said in Lisp: typed variants of the maps' functions, objects for the time
;;; of a body, attaching by an object and a name, consumers that decode.

(defmacro with-bpf-object ((name path) &body body)
  "An object file, loaded while BODY runs."
  `(let ((,name (open-bpf-object ,path)))
     (unwind-protect (progn (load-bpf-object ,name) ,@body)
       (close-bpf-object ,name))))

(defun %int-key (map key)
  (encode-int-key key (map-info-key-size map)))

(defun map-lookup-int (map key)
  "The number under a number; nil when there is none. A per-CPU map gives a vector."
  (let ((bytes (map-lookup map (%int-key map key))))
    (and bytes (decode-int-value bytes))))

(defun map-update-int (map key value &key (flags 0))
  "Puts a number under a number."
  (map-update map (%int-key map key) (encode-int-key value (map-info-value-size map)) :flags flags)
  value)

(defun map-delete-int (map key)
  "Removes what is under a number; whether there was something."
  (map-delete map (%int-key map key)))

(defun map-get-next-key-int (map &optional key)
  "The number after KEY, or the first; nil at the end."
  (let ((next (map-get-next-key map (and key (%int-key map key)))))
    (and next (decode-int-value next))))

(defun %decode-each (struct bytes)
  (if (and (plusp (length bytes)) (not (integerp (elt bytes 0))))
      (map 'vector (lambda (b) (%decode-struct struct b)) bytes)
      (%decode-struct struct bytes)))

(defun map-lookup-struct (map key struct)
  "The value under a key as a record of STRUCT; nil when there is none. A per-CPU map gives a vector."
  (let ((bytes (map-lookup map key)))
    (and bytes (%decode-each struct bytes))))

(defun map-lookup-struct-int (map key struct)
  "The value under a number as a record of STRUCT; nil when there is none."
  (map-lookup-struct map (%int-key map key) struct))

(defun map-update-struct (map key record struct &key (flags 0))
  "Puts a record of STRUCT under a key."
  (map-update map key (%encode-struct struct record) :flags flags)
  record)

(defun map-update-struct-int (map key record struct &key (flags 0))
  "Puts a record of STRUCT under a number."
  (map-update-struct map (%int-key map key) record struct :flags flags))

(defun map-delete-struct (map record struct)
  "Removes what is under a record of STRUCT; whether there was something."
  (map-delete map (%encode-struct struct record)))

(defun map-get-next-key-struct (map struct &optional record)
  "The key after RECORD (or the first) as a record of STRUCT; nil at the end."
  (let ((next (map-get-next-key map (and record (%encode-struct struct record)))))
    (and next (%decode-struct struct next))))

(defun %object-prog (object name)
  (or (bpf-object-prog object name)
      (error "~a has no program ~a" object name)))

(defun attach-obj-kprobe (object name function &rest options)
  "Attaches an object's program to a kernel function."
  (apply #'attach-kprobe (%object-prog object name) function options))

(defun attach-obj-kprobe-multi (object name functions &rest options)
  "Attaches an object's program to kernel functions."
  (apply #'attach-kprobe-multi (%object-prog object name) functions options))

(defun attach-obj-uprobe (object name path symbol &rest options)
  "Attaches an object's program to a function of a program or library."
  (apply #'attach-uprobe (%object-prog object name) path symbol options))

(defun attach-obj-tracepoint (object name tracepoint)
  "Attaches an object's program to a tracepoint."
  (attach-tracepoint (%object-prog object name) tracepoint))

(defun attach-obj-xdp (object name interface &rest options)
  "Attaches an object's program to an interface."
  (apply #'attach-xdp (%object-prog object name) interface options))

(defun attach-obj-tc (object name interface &rest options)
  "Attaches an object's program to an interface's traffic."
  (apply #'attach-tc (%object-prog object name) interface options))

(defun attach-obj-cgroup (object name path type &rest options)
  "Attaches an object's program to a cgroup."
  (apply #'attach-cgroup (%object-prog object name) path type options))

(defun attach-obj-lsm (object name)
  "Attaches an object's program to its LSM hook."
  (attach-lsm (%object-prog object name)))

(defun attach-obj-fentry (object name)
  "Attaches an object's program to its kernel function."
  (attach-fentry (%object-prog object name)))

(defun attach-obj-sk-lookup (object name &optional netns)
  "Attaches an object's program to a network namespace."
  (attach-sk-lookup (%object-prog object name) netns))

(defun open-decoding-ring-consumer (ring decoder function)
  "A consumer that calls FUNCTION with what DECODER (a function, or a struct's name) makes of each record."
  (let ((decode (if (functionp decoder) decoder (lambda (bytes) (%decode-struct decoder bytes)))))
    (open-ring-consumer ring (lambda (bytes) (funcall function (funcall decode bytes))))))

(defmacro with-decoding-ring-consumer ((name ring decoder function) &body body)
  "A decoding consumer, open while BODY runs."
  `(let ((,name (open-decoding-ring-consumer ,ring ,decoder ,function)))
     (unwind-protect (progn ,@body)
       (close-ring-consumer ,name))))

(defun %sap-ref (bytes at size)
  (let ((n 0))
    (dotimes (i size n)
      (setf n (logior n (ash (sap-ref-8 bytes (+ at i)) (* 8 i)))))))

(defun sap-ref-16 (bytes at)
  "The 2 bytes at a place of what a ring's consumer got, as a number."
  (%sap-ref bytes at 2))

(defun sap-ref-32 (bytes at)
  "The same of 4 bytes."
  (%sap-ref bytes at 4))

(defun sap-ref-64 (bytes at)
  "The same of 8 bytes."
  (%sap-ref bytes at 8))
