;; # bpf-loop counts, and assigns what is around it
(defmap m :type :array :key u32 :value u64 :max-entries 4)
(defprog p (:type :raw-tracepoint)
  (let ((sum 0) (last 0))
    (let ((n (bpf-loop 10 (lambda (i) (incf sum i) (setf last i) (= i 6)))))
      (setf (getmap m 0) n (getmap m 1) sum (getmap m 2) last)
      7)))
;> p r0=7
;> m 00000000 = 0700000000000000
;> m 01000000 = 1500000000000000
;> m 02000000 = 0600000000000000

;; # return, return-from and nested callbacks
(defmap m :type :array :key u32 :value u64 :max-entries 4)
(defprog leaves (:type :raw-tracepoint)
  (let ((sum 0))
    (bpf-loop 10 (lambda (i)
                   (bpf-loop 10 (lambda (j)
                                  (incf sum)
                                  (when (= (+ i j) 7) (return (+ 100 sum)))
                                  0))
                   0))
    0))
(defprog block (:type :raw-tracepoint)
  (let ((x (block found
             (bpf-loop 10 (lambda (i) (when (= i 4) (return-from found (* i 10))) 0))
             99)))
    (+ x 1)))
(defprog none (:type :raw-tracepoint)
  (let ((x (block found
             (bpf-loop 3 (lambda (i) (when (= i 4) (return-from found (* i 10))) 0))
             99)))
    (+ x 1)))
;> leaves r0=108
;> block r0=41
;> none r0=100

;; # the context and memory inside of a callback
;; ctx: 0700000000000000 0800000000000000
(defstruct st (a u32) (b u64))
(defprog p (:type :raw-tracepoint)
  (let ((s (make-st)) (z u16 5))
    (setf (st-a s) 1 (st-b s) 2)
    (bpf-loop 4 (lambda (i) (incf (st-b s) (+ i (ctx args 0))) (incf z 65535) 0))
    (+ (* 1000 (st-b s)) (st-a s) z)))
;> p r0=36002

;; # for-each-map-elem visits every entry
(defmap h :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :raw-tracepoint)
  (setf (getmap h 3) 30 (getmap h 5) 50 (getmap h 9) 90)
  (let ((keys 0) (values 0))
    (let ((n (for-each-map-elem h (lambda (k v)
                                    (incf keys (deref k)) (incf values (deref v)) (setf (deref v) 1) 0))))
      (+ (* 10000 n) (* 1000 keys) values))))
;> p r0=47170
;> h 03000000 = 0100000000000000
;> h 05000000 = 0100000000000000
;> h 09000000 = 0100000000000000

;; # a subprogram as a callback
(defmap m :type :array :key u32 :value u64 :max-entries 2)
(defsubprog note ((i u64)) u64 (incf (getmap m 0) i) (> i 2))
(defprog p (:type :raw-tracepoint) (bpf-loop 10 #'note))
;> p r0=4
;> m 00000000 = 0600000000000000

;; # a long loop around a ring-buffer record
(defmap r :type :ringbuf :max-entries 4096)
(defstruct ev (i u64))
(defprog p (:type :raw-tracepoint)
  (dotimes (i 1000)
    (with-ringbuf (e r (sizeof ev)) (setf (ev-i e) i) (when (> i 2) (ringbuf-discard e 0)))
    (when (= i 900) (return i)))
  1)
;> p r0=900
;> r record 0000000000000000
;> r record 0100000000000000
;> r record 0200000000000000
