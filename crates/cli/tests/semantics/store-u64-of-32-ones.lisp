;;; `(store u64 p 0 #xffffffff)` writes four bytes of ones and four of zeros: the constant is not sign-extended.
;;; packet: 00
;;; out: 0xffffffff 1 0 0xfffffffffffffffe 0xffffffff
(defmap m :type :array :key u32 :value u64 :max-entries 1)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((room u64 -1))
    (store u64 (stack-addr room) 0 #xffffffff)
    (setf (getmap out 0) room
          (getmap out 1) (> room 0)
          (getmap out 2) (>> room 32))
    (store u64 (stack-addr room) 0 -2)
    (setf (getmap out 3) room))
  (when-let ((p (map-lookup m 0)))
    (store u64 p 0 -1)
    (store u64 p 0 #xffffffff)
    (setf (getmap out 4) (load u64 p 0)))
  XDP_PASS)
