;; # with-tcp: port 80, counted
;; packet: 020000000001020000000002 0800 45000028000040004006000a 0a000001 0a000002 d431 0050 00000001 00000000 5002 ffff 0000 0000
(defmap c :type :array :key u32 :value u64 :max-entries 2)
(defprog p (:type :xdp)
  (with-tcp (data end tcp)
    (when (= (tcp-dst-port tcp) 80)
      (incf (getmap c 1))
      (return XDP_DROP)))
  XDP_PASS)
;> p r0=1
;> c 01000000 = 0100000000000000

;; # a short packet passes, by its type's value
;; packet: 020000000001020000000002 0800
(defprog x (:type :xdp) (with-tcp (d e tcp) (return (tcp-flags tcp))) 0)
(defprog t (:type :tc) (with-tc-udp (d e udp) (return (udp-length udp))) 1)
;> x r0=2
;> t r0=0

;; # with-ringbuf submits at the end and on return, discards on demand
;; packet: 00000000000000000000000000000000
(defstruct ev (a u32) (b u64))
(defmap r :type :ringbuf :max-entries 4096)
(defprog p1 (:type :xdp)
  (with-ringbuf (e r (sizeof ev)) (setf (ev-a e) 1 (ev-b e) 2))
  2)
(defprog p2 (:type :xdp)
  (with-ringbuf (e r (sizeof ev)) (setf (ev-a e) 3 (ev-b e) 0) (return 1))
  2)
(defprog p3 (:type :xdp)
  (with-ringbuf (e r (sizeof ev))
    (setf (ev-a e) 5 (ev-b e) 0)
    (when (= (ctx rx_queue_index) 0) (ringbuf-discard e 0)))
  2)
;> p1 r0=2
;> p2 r0=1
;> p3 r0=2
;> r record 01000000000000000200000000000000
;> r record 03000000000000000000000000000000

;; # struct keys and values
;; packet: 00000000000000000000000000000000
(defstruct k (a u32) (b u16) (c u16))
(defstruct v (n u64) (m u32) (l u32))
(defmap h :type :hash :key k :value v :max-entries 8)
(defprog p (:type :xdp)
  (let ((key (make-k)) (val (make-v)))
    (setf (k-a key) 1 (k-b key) 2 (v-n val) 3)
    (setf (getmap h key) val)
    (when-let ((q (map-lookup h key)))
      (incf (v-n q) 10)
      (atomic-incf (v-m q) 4)
      (+ (v-n q) (v-m q)))))
;> p r0=17
;> h 0100000002000000 = 0d000000000000000400000000000000

;; # plain bounds checks
;; packet: 01020304050607080910111213141516
(defprog p (:type :xdp)
  (let ((d (ctx data)) (e (ctx data_end)))
    (when (> (+ d 8) e) (return 0))
    (+ (load u8 d 1) (load u16 d 2) (load u32 (+ d 4)))))
;> p r0=134679050

;; # printk
;; packet: 00000000000000000000000000000000
(defprog p (:type :xdp) (printk "x=%d %d" 5 (ctx rx_queue_index)) 2)
;> p r0=2
;>   printk x=5 0

;; # a moved packet pointer is the one that was compared
;; packet: 03010203040506070809101112131415
(defprog p (:type :xdp)
  (with-packet (d e :min-len 1)
    (let ((o (load u8 d)))
      (when (and (> o 1) (<= (+ d o 2) e))
        (store u8 (+ d o) 1 77)
        (return (+ (load u8 d o) (load u8 (+ d o) 1))))))
  0)
;> p r0=80

;; # a loop that counts may use its counter
;; packet: 00000000000000000000000000000000
(defprog p (:type :xdp) (let ((s 0) (i 0)) (while (< i 10) (incf s i) (setf s (+ s i)) (incf i)) s))
;> p r0=90
