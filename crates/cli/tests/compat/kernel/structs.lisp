;;; Structs of `defstruct`: `(make-n)` zeroed on the stack, `(n-f p)`, `(n-f p i)`, `(n-f-ptr p)`, `setf` of each, `(sizeof n)`.
;;; packet: 00
;;; out: 0 0 5 7 9 24 7 0x0901
(defstruct rec (a u32) (b u16) (tags (array u8 8)) (total u64))
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((r (make-rec)))
    (setf (getmap out 0) (rec-total r)
          (getmap out 1) (rec-tags r 3))
    (setf (rec-a r) 5
          (rec-b r) 7
          (rec-tags r 3) 9
          (rec-tags r 2) 1)
    (setf (getmap out 2) (rec-a r)
          (getmap out 3) (rec-b r)
          (getmap out 4) (rec-tags r 3)
          (getmap out 5) (sizeof rec)
          (getmap out 6) (load u16 (rec-b-ptr r) 0)
          (getmap out 7) (load u16 (rec-tags-ptr r) 2)))
  XDP_PASS)
