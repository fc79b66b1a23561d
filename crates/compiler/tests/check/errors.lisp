;; # several errors in one run
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (foo 1)
  (load u64 (map-lookup m 1))
  (let ((x (bar))) (+ x 1))
  (ktime-get-ns 1)
  99)
;> error E0001 3:4 "foo": there is no operator `foo` in programs
;>   help: what a program calls is a kernel form, a helper, an accessor, a `defsubprog` or a macro
;> error E0301 4:3 "(load u64 (map-lookup m 1))": this pointer may be null here
;>   help: bind it with `when-let` or `if-let`, or test it first: (when-let ((p …)) …)
;> error E0001 5:13 "bar": there is no operator `bar` in programs
;>   help: what a program calls is a kernel form, a helper, an accessor, a `defsubprog` or a macro
;> error E0002 6:3 "(ktime-get-ns 1)": `ktime-get-ns` takes 0 arguments, not 1
;>   help: written as (ktime-get-ns)
;> warning W0408 7:3 "99": a program of type :xdp usually returns 0 to 4, not 99

;; # an error in an expansion points at the user's form
(defmacro half (x) `(/ ,x 0))
(defmacro quarter (x) `(half (half ,x)))
(defprog p (:type :xdp) (quarter (ktime-get-ns)))
;> error E0102 3:25 "(quarter (ktime-get-ns))": `/` by the constant 0
;>   help: at run time a zero divisor gives 0 (for `/`) or the dividend; write that if it is meant
;>   via: in this expansion of `half`
;>   via: in this expansion of `quarter`

;; # too many and too few arguments
(defsubprog f ((a u64)) u64 a)
(defprog p (:type :xdp) (f) (f 1 2) (mod 1) (if 1))
;> error E0002 2:25 "(f)": `f` takes 1 argument, not 0
;>   help: written as (f a)
;> error E0002 2:29 "(f 1 2)": `f` takes 1 argument, not 2
;>   help: written as (f a)
;> error E0002 2:37 "(mod 1)": `mod` takes 2 arguments, not 1
;>   help: written as (mod x y)
;> error E0002 2:45 "(if 1)": `if` takes 2 to 3 arguments, not 1
;>   help: written as (if test then [else])

;; # wrong struct
(defstruct a (x u32)) (defstruct b (y u32))
(defmap m :type :hash :key a :value u64 :max-entries 1)
(defprog p (:type :xdp)
  (let ((k (make-b)))
    (a-x k)
    (map-lookup m k)
    (map-lookup m 5)))
;> error E0003 5:10 "k": `a-x` takes a pointer to a, and this is one to b
;> error E0202 6:19 "k": the key of `m` is a a of 4 bytes, and this points to a b of 4 bytes
;> error E0202 7:19 "5": the key of `m` is a a, and this is a number
;>   help: make one with (make-a), and give the pointer

;; # declarations inside other forms
;; hir
(progn (defconstant +n+ 4) (defmap m :type :array :key u32 :value u64 :max-entries +n+))
(defmacro counter (name) `(progn (defmap ,name :type :array :key u32 :value u64 :max-entries 2)))
(counter c)
(when t (defprog p (:type :xdp) (+ (getmap c 1) (getmap m 3))))
;> program p () u64
;>   (+ (seq (store u32 &%0 1:u32) (set %1 (lookup @c &%0)) (if %1 (load u64 %1) 0:u64)) (seq (store u32 &%2 3:u32) (set %3 (lookup @m &%2)) (if %3 (load u64 %3) 0:u64)))

;; # index out of range, in a map and in an array
(defstruct s (a (array u8 4)))
(defmap m :type :array :key u32 :value s :max-entries 4)
(defprog p (:type :xdp)
  (getmap m 4)
  (when-let ((v (map-lookup m 0))) (s-a v 4)))
;> error E0203 4:13 "4": index 4 of `m`, which has 4 entries
;>   help: its entries are 0 to 3
;> error E0203 5:43 "4": index 4 of an array of 4
;>   help: its elements are 0 to 3

;; # an index that was tested is bounded
(defstruct s (a (array u8 4)))
(defmap m :type :array :key u32 :value s :max-entries 4)
(defprog p (:type :xdp)
  (let ((i (ctx rx_queue_index)))
    (when-let ((v (map-lookup m 0)))
      (if (< i 4) (s-a v i) 0))))
;> warning W0412 5:5 "(when-let ((v (map-lookup m 0)))\n      (if (< i 4) (s-a v i) 0))": where this yields nothing, the program returns 0: XDP_ABORTED
;>   help: write the verdict as the last form: XDP_PASS, XDP_DROP …

;; # null again after an assignment, and in a loop
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let ((v (map-lookup m 1)) (s 0))
    (when v
      (dotimes (i 3)
        (incf s (load u64 v))
        (setf v (map-lookup m i))))
    s))
;> error E0301 6:17 "(load u64 v)": `v` may be null here
;>   help: bind it with (when-let ((v …)) …), or leave before: (unless v (return …))

;; # a variable that holds a test
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let* ((v (map-lookup m 1)) (missing (not v)))
    (if missing 0 (load u64 v))))

;; # a record left open on one path
(defmap r :type :ringbuf :max-entries 4096)
(defprog p (:type :xdp)
  (let ((e (ringbuf-reserve r 8 0)))
    (unless e (return 1))
    (when (= (ctx rx_queue_index) 1) (return 2))
    (ringbuf-submit e 0)
    0))
;> error E0501 5:38 "(return 2)": the record in `e` is neither submitted nor discarded on a path that ends here
;>   help: submit it on every path, or use (with-ringbuf (v map n) …), which does

;; # with-ringbuf: discarded on one path, submitted on the other; leaving submits
(defmap r :type :ringbuf :max-entries 4096)
(defprog p (:type :xdp)
  (with-ringbuf (e r 8)
    (store u64 e 0 1)
    (if (= (ctx rx_queue_index) 1) (ringbuf-discard e 0) (store u64 e 0 2)))
  0)

;; # mixed signs
(defprog p (:type :xdp)
  (let ((a i64 -1) (b (ktime-get-ns)))
    (min a b)
    (+ a b)
    (if (< b -1) 1 2)))
;> error E0101 3:5 "(min a b)": `min` of a u64 and an i64: the result depends on which sign is meant
;>   help: cast the one that is meant otherwise: (cast i64 …) or (cast u64 …)
;> error E0105 5:9 "(< b -1)": `<` of an unsigned number and -1
;>   help: if it is a signed number: (cast i64 …), or the signed form of `<`

;; # shadowing and case
;; hir
(defmap My_Map :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp) (let ((x 1)) (let ((x (+ x 1))) (+ X (GETMAP my-map x)))))
;> program p () u64
;>   (set x%0 1:u64)
;>   (set x%1 (+ x%0 1:u64))
;>   (+ x%1 (seq (store u32 &%2 (cast u32 x%1)) (set %3 (lookup @My_Map &%2)) (if %3 (load u64 %3) 0:u64)))

;; # type and section, section names
;; hir
(defprog a (:type :cgroup-sock :section "sockops") 1)
(defprog b (:section "cgroup/connect4") 3)
(defprog c (:type :xdp :section "xdp/foo") 2)
;> error E0407 3:41 "3": a program of type :cgroup-sock-addr may return 0 to 1, not 3
;>   help: 1 allows it, 0 refuses (the caller gets EPERM)

;; # recursion by way of another
(defsubprog f ((x u64)) u64 (g x))
(defsubprog g ((x u64)) u64 (f x))
(defprog p (:type :xdp) (f 1))
;> error E0504 2:29 "(f x)": `f` calls itself
;>   help: the kernel has no recursion; write a loop

;; # malformed
(defprog)
(defprog p)
(defmap)
(defmap m :type)
(defstruct)
(defstruct s x)
(defprog q (:type :xdp) (let) (setf) (setf x) (1 2) (cond 5) (dotimes 5) (-> 1 2) (case) #(1 2) (a . b))
;> error E0004 1:1 "(defprog)": a name is missing here
;> error E0004 2:1 "(defprog p)": a program's options are missing
;>   help: written as (defprog p (:type :xdp) body…)
;> error E0004 3:1 "(defmap)": a name is missing here
;> error E0004 4:11 ":type": options are written :name value
;> error E0201 4:1 "(defmap m :type)": the map `m` needs a :type
;> error E0004 5:1 "(defstruct)": a name is missing here
;> error E0004 6:14 "x": a field is written (name TYPE)
;> error E0002 7:25 "(let)": `let` takes at least 1 argument, not 0
;>   help: written as (let ((v [TYPE] init)…) body…)
;> error E0004 7:38 "(setf x)": `setf` takes places and values in pairs
;>   help: written as (setf place value place value …)
;> error E0004 7:47 "(1 2)": the first element of a call must be a name
;> error E0004 7:59 "5": a clause of cond is written (test form…)
;>   help: each clause has parentheses of its own: (cond ((< a b) 1) (t 2))
;> error E0004 7:71 "5": dotimes is written (dotimes (i count) form…)
;> error E0003 7:80 "2": what `2` is asked of has no known struct
;>   help: name it: (-> (cast (ptr task_struct) x) …)
;> error E0002 7:83 "(case)": `case` takes at least 1 argument, not 0
;>   help: written as (case key (constant form…)… (t form…))
;> error E0004 7:90 "#(1 2)": this is no expression of a program
;> error E0004 7:97 "(a . b)": this is no expression of a program

;; # a packet pointer moved by a variable must be compared itself
(defprog a (:type :xdp)
  (with-packet (d e :min-len 1)
    (let ((o (load u8 d)))
      (return (load u8 (+ d o)))))
  2)
(defprog b (:type :xdp)
  (with-packet (d e :min-len 1)
    (let ((o (load u8 d)))
      (when (<= (+ d o 2) e) (return (load u8 (+ d o) 2)))))
  2)
(defprog c (:type :xdp)
  (with-packet (d e :min-len 1)
    (let ((o (load u8 d)))
      (unless (<= (+ d o 2) e) (return 1))
      (return (+ (load u8 d o) (load u8 (+ d o) 1)))))
  2)
;> error E0302 4:15 "(load u8 (+ d o))": the packet may end before this: the offset varies
;>   help: test the same pointer first: (when (<= (+ data offset 1) data-end) …)
;> error E0302 9:38 "(load u8 (+ d o) 2)": the packet may end before this: the offset varies
;>   help: test the same pointer first: (when (<= (+ data offset 3) data-end) …)

;; # an address that the verifier follows is no number
(defmap m :type :array :key u32 :value u64 :max-entries 1)
(defprog a (:type :xdp) (let ((x (map-lookup m 0))) (logand (cast u64 x) 255)))
(defprog b (:type :xdp) (let ((x (map-lookup m 0))) (or x 1)))
(defprog c (:type :xdp) (let ((x (map-lookup m 0))) (if x 1 x)))
(defprog d (:type :xdp) (let ((x (map-lookup m 0))) (if (= (cast u64 x) 0) 1 2)))
;> error E0003 2:61 "(cast u64 x)": `logand` takes numbers, and this is a pointer to u64
;> error E0003 3:57 "x": this branch yields a pointer to u64, and the other a u64
;>   help: let both yield a number, or both a pointer (or 0, which is null)
;> error E0003 4:61 "x": this branch yields a pointer to u64, and the other a u64
;>   help: let both yield a number, or both a pointer (or 0, which is null)

;; # what the verifier bounds must be in bounds
(defmap m :type :array :key u32 :value u64 :max-entries 1)
(defprog a (:type :cgroup-skb :section "cgroup_skb/egress") (map-lookup m 0))
(defprog b (:type :cgroup-skb :section "cgroup_skb/egress") (if (> (ctx len) 9) (return (ctx mark)) 1))
(defprog c (:type :sk-lookup :section "sk_lookup") (if (= (ctx local_port) 80) SK_DROP SK_PASS))
;> error E0309 2:61 "(map-lookup m 0)": this is a pointer to u64, and a program's result is a number
;>   help: its value is (deref pointer), or (load u64 pointer 0), once a test has shown it not null; if the address itself is meant: (cast u64 pointer)
;> error E0407 3:89 "(ctx mark)": a program of type :cgroup-skb may return 0 to 3, and this may be any u32
;>   help: make it one of these: (if … 1 0), or bound it with logand or min

;; # loops longer than any the kernel takes
(defprog a (:type :xdp) (let ((s 0)) (dotimes (i 100000000) (incf s i)) s))
(defprog b (:type :xdp) (let ((s 0)) (loop :max 9000000 (incf s)) s))
;> error E0503 1:50 "100000000": a loop of 100000000 rounds; the kernel takes 8388608 at most
;>   help: take fewer rounds, or go on where the last run stopped, with a counter in a map
;> error E0503 2:38 "(loop :max 9000000 (incf s))": a loop of 9000000 rounds; the kernel takes 8388608 at most
;>   help: take fewer rounds, or go on where the last run stopped, with a counter in a map

;; # conversions that the kernel does not print
(defprog a (:type :xdp) (printk "%f" 1) 2)
(defprog b (:type :xdp) (printk "100%% %-5llx %s %hd" 1 2 3) 2)
(defprog c (:type :xdp) (printk "%d %lu %pI4" 1 2 3) 2)
;> error E0004 1:33 "\"%f\"": a format has no `%f` here
;>   help: there are %d %i %u %x %X %c %s %p and %%
;> error E0004 2:33 "\"100%% %-5llx %s %hd\"": a format has no `%h` here
;>   help: there are %d %i %u %x %X %c %s %p and %%

;; # a pointer to the stack is no value of a map
(defstruct s (a u64))
(defmap m :type :hash :key u32 :value u64 :max-entries 5)
(defprog p (:type :xdp) (let ((x (make-s))) (setf (getmap m 1) x) 2))
;> error E0309 3:64 "x": `x` is a pointer to s, and the map's value is u64
;>   help: its fields are read as (s-a x); if the address itself is meant: (cast u64 x)

;; # a pointer into the packet as it was is no more
(defprog a (:type :xdp)
  (with-packet (d e :min-len 20)
    (xdp-adjust-head (ctx-ptr) -4)
    (when (<= (+ d 1) e) (return (load u8 d 0))))
  2)
(defprog b (:type :xdp)
  (with-packet (d e :min-len 20)
    (when (= (load u8 d) 1) (xdp-adjust-head (ctx-ptr) -4))
    (return (load u8 d 0)))
  2)
(defprog c (:type :xdp)
  (with-packet (d e :min-len 20)
    (xdp-adjust-head (ctx-ptr) -4)
    (with-packet (d e :min-len 20) (return (load u8 d 0)))
    (setf d (ctx data) e (ctx data_end))
    (when (<= (+ d 1) e) (return (load u8 d 0))))
  2)
;> error E0302 4:11 "(<= (+ d 1) e)": `d` is from before a helper moved the packet
;>   help: read the packet's ends again, (ctx data) and (ctx data_end), and test them
;> error E0302 9:13 "(load u8 d 0)": `d` is from before a helper moved the packet
;>   help: read the packet's ends again, (ctx data) and (ctx data_end), and test them
;> warning W0016 13:5 "(xdp-adjust-head (ctx-ptr) -4)": `xdp-adjust-head` can fail, and nobody looks at its result
;>   help: test it: (when (/= (…) 0) (return …)); if it doesn't matter: (let ((_ (…))) …)
