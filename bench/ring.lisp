;;; 100,000 records from a program in the kernel to a Lisp function that takes five-field structs.
;;;
;;;   whistler run bench/ring.lisp            as root; or: whistler run bench/ring.lisp 500000
;;;
;;; The program fills the ring, 200 records a run; then the function takes them all. Every record
;;; carries its number: one that is missing or out of order is an error.

(defconstant +batch+ 200)

(defstruct event
  (number u64)
  (time   u64)
  (pid    u32)
  (size   u32)
  (comm   (array char 16)))

(defmap events :type :ringbuf :max-entries (* 8 1024 1024))
(defmap state :type :array :key u32 :value u64 :max-entries 2)

(defprog produce (:type :xdp :section "xdp" :license "GPL")
  (dotimes (i +batch+)
    (let ((n (getmap state 0)))
      (with-ringbuf (e events (sizeof event))
        (setf (event-number e) n
              (event-time e) (ktime-get-ns)
              (event-pid e) 4711
              (event-size e) (+ (logand n 1023) 64))
        (memset (event-comm-ptr e) 0 0 16)
        (setf (event-comm e 0) 115
              (event-comm e 1) 104)
        (setf (getmap state 0) (1+ n)))))
  XDP_PASS)

(defvar *next* 0)
(defvar *bytes* 0)

(defun on-event (e)
  (unless (= (event-number e) *next*)
    (error "record ~d came where ~d was due" (event-number e) *next*))
  (unless (and (= (event-pid e) 4711) (string= (event-comm e) "sh"))
    (error "record ~d is not what was sent: ~s" *next* e))
  (setf *next* (1+ *next*)
        *bytes* (+ *bytes* (event-size e))))

(defun seconds (ticks)
  (/ (float ticks) internal-time-units-per-second))

(defun main (&optional (wanted "100000"))
  (let* ((wanted (parse-integer wanted))
         (packet (make-array 64 :initial-element 0))
         (consumer (open-ring-consumer events #'on-event :as event))
         (made 0) (making 0) (taking 0))
    (loop while (< made wanted)
          do (let ((start (get-internal-real-time)))
               ;; As much as surely fits.
               (loop repeat 500
                     while (< made wanted)
                     do (run-prog produce packet)
                        (setf made (+ made +batch+)))
               (setf making (+ making (- (get-internal-real-time) start))
                     start (get-internal-real-time))
               (loop while (plusp (ring-poll consumer :timeout-ms 0)))
               (setf taking (+ taking (- (get-internal-real-time) start)))))
    (unless (= *next* made)
      (error "~d records of ~d came" *next* made))
    (format t "~d records, all in order: made in ~,1f ms, taken in ~,1f ms: ~,2f million records a second~%"
            made (* 1000 (seconds making)) (* 1000 (seconds taking))
            (/ made (seconds taking) 1000000))))
