;;; The library's forms for tracing, in processes that are pretended: what is told of them, and their memory.
;;; only: vm a test run in the kernel can't pretend another process

(defstruct event (pid u32) (uid u32) (time u64) (comm (array char 16)))
(defmap events :type :ringbuf :max-entries 4096)
(defmap out :type :array :key u32 :value u64 :max-entries 8)

(defprog tell (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (with-ringbuf (e events (sizeof event))
    (fill-process-info e :pid-field event-pid :uid-field event-uid :timestamp-field event-time
                         :comm-field event-comm-ptr :comm-size 16))
  7)

(deftest the-process-that-is-pretended
  (run-prog tell nil :ctx (context :raw-tracepoint 0 0) :pid 77 :tgid 77 :uid 1000 :comm "sleepy" :clock 123456)
  (let ((e (first (ring-records events :as event))))
    (is (= (event-pid e) 77))
    (is (= (event-uid e) 1000))
    (is (>= (event-time e) 123456))
    (is (equal (event-comm e) "sleepy"))))

(defprog add-up (:type :kprobe :section "kprobe/do_mmap")
  (let ((sum 0) (last 0))
    (do-user-ptrs (p (pt-regs-parm1) (pt-regs-parm2) 8 :index i)
      (setf sum (+ sum p) last i))
    (setf (getmap out 0) sum (getmap out 1) last))
  (let ((sum 0))
    (do-user-array (n u16 (pt-regs-parm3) (pt-regs-parm4) 4)
      (setf sum (+ sum n)))
    (setf (getmap out 2) sum))
  0)

(defun words (bytes &rest numbers)
  (mapcan (lambda (n) (loop for i from 0 below bytes collect (logand 255 (ash n (* -8 i))))) numbers))

(deftest arrays-of-a-process
  (run-prog add-up nil
            :ctx (context :kprobe :parm1 #x10000 :parm2 3 :parm3 #x20000 :parm4 2)
            :user (list (cons #x10000 (words 8 100 20 3 4000)) (cons #x20000 (words 2 5 60000 7))))
  (is (= (map-ref out 0) 123) "as many as there are")
  (is (= (map-ref out 1) 2))
  (is (= (map-ref out 2) 60005)))

(deftest no-more-than-said
  (run-prog add-up nil
            :ctx (context :kprobe :parm1 #x10000 :parm2 1000 :parm3 #x20000 :parm4 1000)
            :user (list (cons #x10000 (apply #'words 8 (make-list 20 :initial-element 1)))
                        (cons #x20000 (apply #'words 2 (make-list 20 :initial-element 1)))))
  (is (= (map-ref out 0) 8))
  (is (= (map-ref out 2) 4)))

(defprog stacked (:type :kprobe :section "uprobe/f")
  (setf (getmap out 0) (pt-regs-parm6)
        (getmap out 1) (pt-regs-parm7)
        (getmap out 2) (pt-regs-parm8))
  0)

(deftest arguments-on-the-stack
  (run-prog stacked nil
            :ctx (context :kprobe :parm6 60 :sp #x30000)
            ;; The return address comes first.
            :user (list (cons #x30000 (words 8 1 70 80))))
  (is (= (map-ref out 0) 60))
  (is (= (map-ref out 1) 70))
  (is (= (map-ref out 2) 80)))
