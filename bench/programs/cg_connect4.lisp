;;; Redirects connect(2) on IPv4 sockets and remembers the original destination by socket cookie:
;;; the counterpart of cg_connect4.bpf.c.

(defconstant +allow+ 1)
(defconstant +refuse+ 0)
(defconstant +flag-refuse+ 1)

;; Addresses and ports as they stand in the context, in network byte order.
(defstruct dest (addr u32) (port u16) (proto u8) (zero u8))
(defstruct redirect (addr u32) (port u16) (flags u16) (hits u64))

(defmap redirects :type :hash :key dest :value redirect :max-entries 1024)
(defmap origins :type :lru-hash :key u64 :value dest :max-entries 16384)

(defmacro redirect-of (dest)
  "The entry for exactly that port, else the one for any port."
  `(or (map-lookup redirects ,dest)
       (let ((any-port (make-dest)))
         (setf (dest-addr any-port) (dest-addr ,dest)
               (dest-proto any-port) (dest-proto ,dest))
         (map-lookup redirects any-port))))

(defprog cg_connect4 (:type :cgroup-sock-addr :section "cgroup/connect4" :license "GPL")
  (let ((wanted (make-dest)))
    (setf (dest-addr wanted) (ctx user_ip4)
          (dest-port wanted) (cast u16 (ctx user_port))
          (dest-proto wanted) (cast u8 (ctx protocol)))
    (when-let ((to (redirect-of wanted)))
      (atomic-incf (redirect-hits to))
      (when (or (logtest (redirect-flags to) +flag-refuse+)
                (/= (map-update origins (get-socket-cookie (ctx-ptr)) wanted) 0))
        (return +refuse+))
      (setf (ctx user_ip4) (redirect-addr to))
      (unless (zerop (redirect-port to))
        (setf (ctx user_port) (redirect-port to)))))
  +allow+)
