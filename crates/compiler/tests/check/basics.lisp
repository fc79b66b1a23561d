;; # a sum of constants
;; hir
(defprog p (:type :xdp) (+ 1 2))
;> program p () u64
;>   3:u64

;; # let, if, load, ctx
;; hir
(defprog p (:type :xdp)
  (let ((i (ctx ingress_ifindex)) (s 0))
    (if (> i 5) (setf s 1) (incf s i))
    s))
;> program p () u64
;>   (set i%0 (load u32 ctx+12))
;>   (set s%1 0:u64)
;>   if (>u i%0 5:u64) : void
;>     (set s%1 1:u64)
;>     (seq )
;>   else
;>     (set s%1 (+ s%1 i%0))
;>     (seq )
;>   s%1

;; # unknown name
(defprog p (:type :xdp) (let ((abc 1)) (+ abd abc)))
;> error E0001 1:43 "abd": there is no variable or constant `abd`
;>   help: did you mean `abc`?

;; # a lookup must be tested
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let ((v (map-lookup m 1)))
    (load u64 v)))
;> error E0301 4:5 "(load u64 v)": `v` may be null here
;>   help: bind it with (when-let ((v …)) …), or leave before: (unless v (return …))

;; # lookup, tested, through an alias and an early return
;; hir
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (let* ((v (map-lookup m 1)) (w v))
    (unless w (return 2))
    (load u64 v)))
;> program p () u64
;>   (set v%1 (seq (store u32 &%0 1:u32) (lookup @m &%0)))
;>   (set w%2 v%1)
;>   if w%2 : void
;>     0:u64
;>     (seq )
;>   else
;>     (return 2:u64)
;>   (load u64 v%1)

;; # struct value, incf, setf getmap
;; hir
(defstruct s (a u32) (b u16) (c (array u8 4)))
(defmap m :type :hash :key u32 :value s :max-entries 8)
(defmap n :type :hash :key u64 :value u64 :max-entries 8)
(defprog p (:type :xdp)
  (incf (getmap n 3))
  (when-let ((v (map-lookup m 1)))
    (incf (s-a v) 2)
    (setf (s-c v 2) (s-b v)))
  (setf (getmap n 4) 5)
  (getmap n 4))
;> program p () u64
;>   (store u64 &%0 3:u64)
;>   (set %1 (lookup @n &%0))
;>   if %1 : void
;>     (atomic-add u64 %1 1:u64)
;>   else
;>     (store u64 &%2 1:u64)
;>     (update @n &%0 &%2 1:u64)
;>     1:u64
;>     (seq )
;>   (set v%4 (seq (store u32 &%3 1:u32) (lookup @m &%3)))
;>   if v%4 : void
;>     (store u32 v%4 (cast u32 (+ (load u32 v%4) 2:u64)))
;>     (store u8 v%4+8 (cast u8 (load u16 v%4+4)))
;>     (seq )
;>   else
;>     0:u64
;>     (seq )
;>   (store u64 &%5 4:u64)
;>   (store u64 &%6 5:u64)
;>   (update @n &%5 &%6 0:u64)
;>   (store u64 &%7 4:u64)
;>   (set %8 (lookup @n &%7))
;>   if %8 : u64
;>     (load u64 %8)
;>   else
;>     0:u64
