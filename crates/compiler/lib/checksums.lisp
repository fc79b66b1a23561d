;;; Internet checksums (RFC 1071), and their update when a field changes (RFC 1624). All numbers are as they lie in the
;;; packet, which is how checksum and address fields read; the sum does not depend on the byte order.

(defmacro csum-fold (sum)
  "The checksum of a sum, as `csum-diff` gives one: folded to 16 bits and complemented."
  (let ((s (gensym "S")))
    `(let ((,s u64 (cast u64 ,sum)))
       (setf ,s (+ (logand ,s #xffffffff) (>> ,s 32)))
       (setf ,s (+ (logand ,s #xffff) (>> ,s 16)))
       (setf ,s (+ (logand ,s #xffff) (>> ,s 16)))
       (setf ,s (+ (logand ,s #xffff) (>> ,s 16)))
       (logxor ,s #xffff))))

(defmacro checksum-update (checksum old new)
  "The checksum after a word of two or four bytes that it covers went from OLD to NEW."
  `(csum-fold (+ (logxor (cast u16 ,checksum) #xffff)
                 (logxor (cast u32 ,old) #xffffffff)
                 (cast u64 (cast u32 ,new)))))

(defmacro csum-replace (place old new)
  "Updates the checksum in PLACE for a word of two or four bytes that goes from OLD to NEW."
  `(setf ,place (cast u16 (checksum-update ,place ,old ,new))))

(defmacro ipv4-header-sum (ip)
  "The sum of the 20 bytes of an IPv4 header without options."
  (let ((p (gensym "IP")))
    `(let ((,p ,ip))
       (+ (load u32 ,p) (load u32 ,p 4) (load u32 ,p 8) (load u32 ,p 12) (load u32 ,p 16)))))

(defmacro ipv4-checksum-ok? (ip)
  "Whether the checksum of an IPv4 header without options is right."
  `(zerop (csum-fold (ipv4-header-sum ,ip))))

(defmacro ipv4-set-checksum (ip)
  "Computes the checksum of an IPv4 header without options."
  (let ((p (gensym "IP")))
    `(let ((,p ,ip))
       (setf (ipv4-checksum ,p) 0)
       (setf (ipv4-checksum ,p) (cast u16 (csum-fold (ipv4-header-sum ,p)))))))

(defmacro ipv4-decrement-ttl (ip)
  "One hop less, with the checksum; yields the hops left. A header with 0 hops stays as it is."
  (let ((p (gensym "IP")) (old (gensym "OLD")))
    `(let* ((,p ,ip) (,old (load u16 ,p 8)))
       (when (ipv4-ttl ,p)
         (setf (ipv4-ttl ,p) (cast u8 (- (ipv4-ttl ,p) 1)))
         (csum-replace (ipv4-checksum ,p) ,old (load u16 ,p 8)))
       (ipv4-ttl ,p))))

(defmacro ipv4-set-src-addr (ip address &optional l4-checksum)
  "Sets the source address with the header's checksum, and with that of the transport header in the place L4-CHECKSUM."
  `(%ipv4-set-addr ipv4-src-addr ,ip ,address ,l4-checksum))

(defmacro ipv4-set-dst-addr (ip address &optional l4-checksum)
  "Sets the destination address with the header's checksum, and with that of the transport header in the place L4-CHECKSUM."
  `(%ipv4-set-addr ipv4-dst-addr ,ip ,address ,l4-checksum))

(defmacro %ipv4-set-addr (field ip address l4-checksum)
  (let ((p (gensym "IP")) (old (gensym "OLD")) (new (gensym "NEW")))
    `(let* ((,p ,ip) (,old (,field ,p)) (,new u32 ,address))
       (csum-replace (ipv4-checksum ,p) ,old ,new)
       ,@(when l4-checksum `((csum-replace ,l4-checksum ,old ,new)))
       (setf (,field ,p) ,new))))
