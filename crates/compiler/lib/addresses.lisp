;;; Addresses as constants, comparisons and copies. A constant is the number that a field of the packet reads as, so
;;; (= (ipv4-src-addr ip) (ip4 "10.0.0.1")) needs no byte swap. The literals work in the host as well.

(defun %bytes-number (bytes)
  "The number whose bytes in memory these are."
  (let ((n 0))
    (dolist (b (reverse bytes) n)
      (setf n (+ (* n 256) b)))))

(defun %split (text separator)
  (let ((parts nil) (start 0))
    (loop
      (let ((end (position separator text :start start)))
        (push (subseq text start end) parts)
        (if end (setf start (1+ end)) (return (nreverse parts)))))))

(defun %part (text radix most whole)
  (let ((n (and (plusp (length text)) (every (lambda (c) (digit-char-p c radix)) text) (parse-integer text :radix radix))))
    (if (and n (<= n most)) n (error "~s is no address: ~s" whole text))))

(defun ip4-bytes (text)
  "The four bytes of an IPv4 address, as a list."
  (let ((parts (%split text #\.)))
    (unless (= (length parts) 4) (error "~s is no IPv4 address: it has four numbers" text))
    (mapcar (lambda (p) (%part p 10 255 text)) parts)))

(defun %ip6-groups (text whole)
  (if (string= text "")
      nil
      (let* ((parts (%split text #\:))
             (tail (car (last parts))))
        (append (mapcar (lambda (p) (%part p 16 65535 whole)) (if (position #\. tail) (butlast parts) parts))
                (when (position #\. tail)
                  (destructuring-bind (a b c d) (ip4-bytes tail)
                    (list (+ (* a 256) b) (+ (* c 256) d))))))))

(defun ip6-bytes (text)
  "The sixteen bytes of an IPv6 address, as a list."
  (let* ((gap (search "::" text))
         (before (%ip6-groups (subseq text 0 (or gap (length text))) text))
         (after (when gap (%ip6-groups (subseq text (+ gap 2)) text)))
         (zeros (- 8 (length before) (length after))))
    (unless (if gap (plusp zeros) (zerop zeros)) (error "~s is no IPv6 address" text))
    (mapcan (lambda (g) (list (floor g 256) (mod g 256)))
            (append before (make-list zeros :initial-element 0) after))))

(defun mac-bytes (text)
  "The six bytes of a hardware address, as a list."
  (let ((parts (%split text #\:)))
    (unless (= (length parts) 6) (error "~s is no hardware address: it has six numbers" text))
    (mapcar (lambda (p) (%part p 16 255 text)) parts)))

(defun %literal (text what)
  (if (stringp text) text (error "~a takes a string, not ~s" what text)))

(defmacro ip4 (text)
  "An IPv4 address as the number that an address field reads as."
  (%bytes-number (ip4-bytes (%literal text 'ip4))))

(defmacro ip6-hi (text)
  "The first half of an IPv6 address, as ipv6-src-addr-hi reads."
  (%bytes-number (subseq (ip6-bytes (%literal text 'ip6-hi)) 0 8)))

(defmacro ip6-lo (text)
  "The second half of an IPv6 address, as ipv6-src-addr-lo reads."
  (%bytes-number (subseq (ip6-bytes (%literal text 'ip6-lo)) 8)))

(defmacro mac-hi (text)
  "The first four bytes of a hardware address, as eth-src-mac-hi reads."
  (%bytes-number (subseq (mac-bytes (%literal text 'mac-hi)) 0 4)))

(defmacro mac-lo (text)
  "The last two bytes of a hardware address, as eth-src-mac-lo reads."
  (%bytes-number (subseq (mac-bytes (%literal text 'mac-lo)) 4)))

;; Programs have these as forms of their own; here they are for the host, where tests name ports and lengths.

(defun %swapped (n count)
  "The low COUNT bytes of N in the other order."
  (let ((out 0))
    (dotimes (i count out)
      (setf out (+ (* out 256) (logand (ash n (* -8 i)) 255))))))

(defun htons (n) "Two bytes to network order." (%swapped n 2))
(defun ntohs (n) "Two bytes from network order." (%swapped n 2))
(defun htonl (n) "Four bytes to network order." (%swapped n 4))
(defun ntohl (n) "Four bytes from network order." (%swapped n 4))
(defun htonll (n) "Eight bytes to network order." (%swapped n 8))
(defun ntohll (n) "Eight bytes from network order." (%swapped n 8))

(defun %network (text bytes)
  "Of ADDRESS/LENGTH: the mask's bytes and the network's."
  (let* ((parts (%split text #\/))
         (address (funcall bytes (first parts)))
         (length (if (second parts) (%part (second parts) 10 (* 8 (length address)) text) (* 8 (length address))))
         (mask (loop for i from 0 below (length address)
                     collect (let ((n (min 8 (max 0 (- length (* 8 i)))))) (- 256 (ash 256 (- n)))))))
    (list mask (mapcar #'logand address mask))))

(defmacro ipv4-in? (address network)
  "Whether an IPv4 address (as a field reads it) is in the network, as \"10.0.0.0/8\"."
  (destructuring-bind (mask net) (%network (%literal network 'ipv4-in?) #'ip4-bytes)
    `(= (logand ,address ,(%bytes-number mask)) ,(%bytes-number net))))

(defmacro ipv6-in? (pointer network)
  "Whether the IPv6 address at a pointer, as (ipv6-src-addr-ptr ip), is in the network, as \"2001:db8::/32\"."
  (let ((p (gensym "P")))
    (destructuring-bind (mask net) (%network (%literal network 'ipv6-in?) #'ip6-bytes)
      (flet ((half (at)
               (let ((m (%bytes-number (subseq mask at (+ at 8)))))
                 (unless (zerop m)
                   `((= (logand (load u64 ,p ,at) ,m) ,(%bytes-number (subseq net at (+ at 8)))))))))
        `(let ((,p ,pointer))
           (declare (ignorable ,p))
           (and 1 ,@(half 0) ,@(half 8)))))))

(defmacro ipv6= (a b)
  "Whether two IPv6 addresses are equal: pointers, or the second one a string."
  (let ((p (gensym "A")) (q (gensym "B")))
    (if (stringp b)
        `(let ((,p ,a))
           (and (= (load u64 ,p) (ip6-hi ,b)) (= (load u64 ,p 8) (ip6-lo ,b))))
        `(let ((,p ,a) (,q ,b))
           (and (= (load u64 ,p) (load u64 ,q)) (= (load u64 ,p 8) (load u64 ,q 8)))))))

(defmacro ipv6-copy (to from)
  "Sets the IPv6 address at TO from the pointer or string FROM."
  (let ((p (gensym "TO")) (q (gensym "FROM")))
    (if (stringp from)
        `(let ((,p ,to))
           (store u64 ,p 0 (ip6-hi ,from))
           (store u64 ,p 8 (ip6-lo ,from)))
        `(let ((,p ,to) (,q ,from))
           (store u64 ,p 0 (load u64 ,q))
           (store u64 ,p 8 (load u64 ,q 8))))))

(defmacro mac= (a b)
  "Whether two hardware addresses are equal: pointers, as (eth-src-mac-ptr data), or the second one a string."
  (let ((p (gensym "A")) (q (gensym "B")))
    (if (stringp b)
        `(let ((,p ,a))
           (and (= (load u32 ,p) (mac-hi ,b)) (= (load u16 ,p 4) (mac-lo ,b))))
        `(let ((,p ,a) (,q ,b))
           (and (= (load u32 ,p) (load u32 ,q)) (= (load u16 ,p 4) (load u16 ,q 4)))))))

(defmacro mac-copy (to from)
  "Sets the hardware address at TO from the pointer or string FROM."
  (let ((p (gensym "TO")) (q (gensym "FROM")))
    (if (stringp from)
        `(let ((,p ,to))
           (store u32 ,p 0 (mac-hi ,from))
           (store u16 ,p 4 (mac-lo ,from)))
        `(let ((,p ,to) (,q ,from))
           (store u32 ,p 0 (load u32 ,q))
           (store u16 ,p 4 (load u16 ,q 4))))))

(defmacro eth-swap (data)
  "Exchanges the hardware addresses of an Ethernet header."
  (let ((p (gensym "ETH")) (hi (gensym "HI")) (lo (gensym "LO")))
    `(let* ((,p ,data) (,hi (eth-dst-mac-hi ,p)) (,lo (eth-dst-mac-lo ,p)))
       (mac-copy (eth-dst-mac-ptr ,p) (eth-src-mac-ptr ,p))
       (setf (eth-src-mac-hi ,p) ,hi
             (eth-src-mac-lo ,p) ,lo))))

(defmacro ipv4-swap (ip)
  "Exchanges the addresses of an IPv4 header; its checksum stays right."
  (let ((p (gensym "IP")) (a (gensym "A")))
    `(let* ((,p ,ip) (,a (ipv4-src-addr ,p)))
       (setf (ipv4-src-addr ,p) (ipv4-dst-addr ,p)
             (ipv4-dst-addr ,p) ,a))))
