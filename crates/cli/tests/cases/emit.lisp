;;; Lines to user space: numbers of every type, text from everywhere, several places, one of them left early.
;;; packet: 68656c6c6f00
;;; out: 1
;;; emit: start
;;; emit: u8 200 u16 60000 u32 4000000000 u64 18446744073709551615
;;; emit: i8 -5 i16 -300 i32 -70000 i64 -1
;;; emit: hex ff 0xff 00ff char A width |   7|7   |007|
;;; emit: text hello, literal, ab, hello
;;; emit: percent 100% wide -5
;;; emit: once 3
(defstruct named (n u32) (name (array char 16)))
(defparam word (array char 6) #(104 101 108 108 111 0))
(defmap store :type :array :key u32 :value named :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 4)
(defsubprog early ((x u64)) u64
  (emit "once %d" x)
  (when (> x 2) (return 1))
  (emit "never %d" x)
  0)
(defprog main (:type :xdp)
  (emit "start")
  (let ((a u8 200) (b u16 60000) (c u32 4000000000) (d u64 #xffffffffffffffff))
    (emit "u8 %d u16 %u u32 %d u64 %u" a b c d))
  (let ((a i8 -5) (b i16 -300) (c i32 -70000) (d i64 -1))
    (emit "i8 %d i16 %d i32 %d i64 %d" a b c d))
  (emit "hex %x %#x %04x char %c width |%4d|%-4d|%03d|" 255 255 255 65 7 7 7)
  (let ((s (make-named)) (data (ctx data)) (data-end (ctx data-end)))
    (memcpy (named-name-ptr s) 0 "ab" 0 3)
    (when (<= (+ data 6) data-end)
      (emit "text %s, %s, %s, %.5s" word "literal" (named-name-ptr s) (cast (ptr char) data))))
  (emit "percent 100%% wide %d" (cast i32 -5))
  (setf (getmap out 0) (early 3))
  XDP_PASS)
