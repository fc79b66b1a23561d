;;; A session uses the file's structs, constants and macros; two sessions do not see each other's maps.
;;; out: 0 5 9
;;; out: 0 5 9
(whistler:defstruct point (x u32) (y u32))
(defconstant +where+ 1)
(defmacro both (p v) `(setf (point-x ,p) ,v (point-y ,p) (+ ,v 4)))
(defun once ()
  (with-bpf-session ()
    (bpf:map points :type :array :key u32 :value point :max-entries 2)
    (bpf:prog place (:type :xdp)
      (when-let ((p (map-lookup points +where+)))
        (both p 5))
      XDP_PASS)
    (let ((before (point-record-x (bpf:map-ref points 1))))
      (run-prog (bpf-session-prog 'place) (make-array 64 :element-type '(unsigned-byte 8)))
      (let ((p (bpf:map-ref points 1)))
        (format t "~a ~a ~a~%" before (point-record-x p) (point-record-y p))))))
(once)
(once)
