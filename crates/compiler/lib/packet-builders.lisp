;;; Packets for tests, in the host: built from layers, with lengths, checksums and protocol numbers filled in unless they
;;; are given, and taken apart again.
;;;
;;;   (packet (eth) (ipv4 :src "10.0.0.1") (tcp :dst-port 9999 :syn t) (payload "hello"))

(defparameter *layers*
  ;; Per layer its fields in the order of the wire: name, bits (or mac, ip4, ip6), what it is unless given. `:auto` is computed.
  '((eth (dst mac "02:00:00:00:00:02") (src mac "02:00:00:00:00:01") (type 16 :auto))
    (vlan (pcp 3) (dei 1) (id 12 1) (type 16 :auto))
    (arp (hardware 16 1) (protocol 16 #x0800) (hardware-len 8 6) (protocol-len 8 4) (operation 16 1)
         (sender-mac mac "02:00:00:00:00:01") (sender-addr ip4 "10.0.0.1")
         (target-mac mac "00:00:00:00:00:00") (target-addr ip4 "10.0.0.2"))
    (ipv4 (version 4 4) (ihl 4 :auto) (dscp 6) (ecn 2) (total-len 16 :auto) (id 16) (reserved 1) (dont-fragment 1)
          (more-fragments 1) (fragment-offset 13) (ttl 8 64) (protocol 8 :auto) (checksum 16 :auto)
          (src ip4 "10.0.0.1") (dst ip4 "10.0.0.2"))
    (ipv6 (version 4 6) (traffic-class 8) (flow-label 20) (payload-len 16 :auto) (nexthdr 8 :auto) (hop-limit 8 64)
          (src ip6 "fd00::1") (dst ip6 "fd00::2"))
    (hop-by-hop (nexthdr 8 :auto) (len 8 :auto))
    (routing (nexthdr 8 :auto) (len 8 :auto) (type 8) (segments-left 8))
    (dest-opts (nexthdr 8 :auto) (len 8 :auto))
    (fragment (nexthdr 8 :auto) (reserved 8) (fragment-offset 13) (reserved2 2) (more-fragments 1) (id 32))
    (ah (nexthdr 8 :auto) (len 8 :auto) (reserved 16) (spi 32 1) (seq 32 1))
    (tcp (src-port 16 40000) (dst-port 16 80) (seq 32) (ack-seq 32) (doff 4 :auto) (reserved 4)
         (cwr 1) (ece 1) (urg 1) (ack 1) (psh 1) (rst 1) (syn 1) (fin 1) (window 16 65535) (checksum 16 :auto) (urgent 16))
    (udp (src-port 16 40000) (dst-port 16 :auto) (length 16 :auto) (checksum 16 :auto))
    (icmp (type 8 8) (code 8) (checksum 16 :auto) (id 16 1) (sequence 16 1))
    (icmpv6 (type 8 128) (code 8) (checksum 16 :auto) (id 16 1) (sequence 16 1))
    (dns (id 16 1) (response 1) (opcode 4) (authoritative 1) (truncated 1) (recursion-desired 1 1) (recursion-available 1)
         (reserved 3) (rcode 4) (questions 16 :auto) (answers 16 :auto) (authorities 16) (additionals 16))
    (gre (checksum-present 1 :auto) (reserved 1) (key-present 1 :auto) (sequence-present 1 :auto) (reserved2 9) (version 3)
         (protocol 16 :auto))
    (vxlan (flags 8 8) (reserved 24) (vni 24 1) (reserved2 8))
    (geneve (version 2) (opt-len 6 :auto) (oam 1) (critical 1) (reserved 6) (protocol 16 :auto) (vni 24 1) (reserved2 8))))

(defparameter *layer-extras*
  ;; What layers take besides their fields.
  '((ipv4 tos flags src-addr dst-addr options) (ipv6 src-addr dst-addr) (eth src-mac dst-mac)
    (tcp flags options) (icmp rest mtu) (icmpv6 rest mtu target options)
    (dns question question-type answer) (gre key sequence checksum) (geneve options)
    (hop-by-hop options) (dest-opts options) (routing options) (ah icv)))

(defun %named (name table)
  (find-if (lambda (row) (string-equal (symbol-name (first row)) (symbol-name name))) table))

(defun %key (name) (intern (string-downcase (symbol-name name)) :keyword))

(defmacro packet (&rest layers)
  "A packet made of layers, outermost first, nested at will: eth, vlan, arp, ipv4, ipv6, hop-by-hop, routing, dest-opts,
  fragment, ah, tcp, udp, icmp, icmpv6, dns, gre, vxlan, geneve, each with its fields by keyword, and payload with bytes,
  strings or numbers of zeros. Other forms are evaluated: a list of layers, or bytes. What is not given is right."
  `(build-packet (list ,@(mapcar #'%layer-form layers))))

(defun %layer-form (form)
  (cond ((not (and (consp form) (symbolp (first form)))) form)
        ((string-equal (symbol-name (first form)) "payload") `(list ',(first form) ,@(rest form)))
        ((%named (first form) *layers*)
         (%check-fields form)
         `(list ',(first form) ,@(rest form)))
        (t form)))

(defparameter *field-names-elsewhere*
  '((dport dst-port) (sport src-port) (source src) (saddr src) (daddr dst) (dest dst) (ethertype type) (proto protocol)
    (seqno seq) (length len) (src-ip src) (dst-ip dst) (src-mac src) (dst-mac dst) (destination dst) (flags-syn syn)))

(defun %meant-field (key known)
  "The field that may be meant by a key that is none."
  (let ((meant (and (symbolp key) (second (%named key *field-names-elsewhere*)))))
    (and meant (find meant known) (%key meant))))

(defun layer (name &rest fields)
  "A layer as a value, for `build-packet` and inside of `packet`."
  (cons name fields))

(defun %layers (items)
  "Layers in order; bytes and strings become payloads, lists of layers are spliced."
  (mapcan (lambda (item)
            (cond ((null item) nil)
                  ((or (stringp item) (vectorp item)) (list (list 'payload item)))
                  ((and (consp item) (symbolp (first item))) (list (copy-list item)))
                  ((and (consp item) (integerp (first item))) (list (list 'payload item)))
                  ((consp item) (%layers item))
                  (t (error "~s is no layer of a packet" item))))
          items))

(defun %check-fields (layer)
  (let* ((row (or (%named (first layer) *layers*) (error "there is no layer ~s" (first layer))))
         (known (append (mapcar #'first (rest row)) (rest (%named (first layer) *layer-extras*)))))
    (when (oddp (length (rest layer))) (error "a field of ~s has no value" (first layer)))
    (loop for (key nil) on (rest layer) by #'cddr
          do (unless (and (symbolp key) (find-if (lambda (k) (string-equal (symbol-name k) (symbol-name key))) known))
               (error "~(~a~) has no field ~s; ~@[did you mean ~s? ~]it has ~(~{:~a~^ ~}~)" (first layer) key
                      (%meant-field key known) known)))
    row))

(defun %field (layer field &optional default)
  (loop for (key value) on (rest layer) by #'cddr
        do (when (string-equal (symbol-name key) (symbol-name field)) (return-from %field value)))
  default)

(defun %layer-is (layer name)
  (and layer (string-equal (symbol-name (first layer)) name)))

(defun %one-of (layer names)
  (and layer (find-if (lambda (n) (%layer-is layer n)) names)))

(defun %ethertype (next after)
  (cond ((%layer-is next "ipv4") #x0800) ((%layer-is next "ipv6") #x86dd) ((%layer-is next "arp") #x0806)
        ((%layer-is next "vlan") (if (%layer-is after "vlan") #x88a8 #x8100))
        ((%layer-is next "eth") #x6558)
        ;; One for local experiments (IEEE 802).
        (t #x88b5)))

(defparameter *ip-protocols*
  '(("hop-by-hop" 0) ("icmp" 1) ("ipv4" 4) ("tcp" 6) ("udp" 17) ("ipv6" 41) ("routing" 43) ("fragment" 44) ("gre" 47)
    ("ah" 51) ("icmpv6" 58) ("dest-opts" 60)))

(defun %ip-protocol (next none)
  (let ((row (find-if (lambda (row) (%layer-is next (first row))) *ip-protocols*)))
    (if row (second row) none)))

(defun %number (value kind)
  (case kind
    (mac (if (stringp value) (%wire (mac-bytes value)) value))
    (ip4 (if (stringp value) (%wire (ip4-bytes value)) value))
    (ip6 (if (stringp value) (%wire (ip6-bytes value)) value))
    (t (cond ((eq value t) 1) ((null value) 0) (t value)))))

(defun %wire (bytes)
  (let ((n 0)) (dolist (b bytes n) (setf n (+ (* n 256) b)))))

(defun %bits (kind) (case kind (mac 48) (ip4 32) (ip6 128) (t kind)))

(defun %to-bytes (number count)
  (loop for i from (1- count) downto 0 collect (logand (ash number (* -8 i)) 255)))

(defun %padded (bytes multiple)
  (append bytes (make-list (mod (- (length bytes)) multiple) :initial-element 0)))

(defun %bytes-of (value)
  "The bytes of a string, a sequence of bytes, or a number of zeros."
  (cond ((stringp value) (map 'list #'char-code value))
        ((integerp value) (make-list value :initial-element 0))
        (t (coerce value 'list))))

(defun %dns-name (name)
  (append (mapcan (lambda (label) (cons (length label) (%bytes-of label)))
                  (remove "" (%split name #\.) :test #'string=))
          (list 0)))

(defun %dns-body (layer)
  (let ((question (%field layer 'question)) (answer (%field layer 'answer)))
    (append
     (when question
       (append (%dns-name question)
               (%to-bytes (%field layer 'question-type (if (and answer (position #\: answer)) 28 1)) 2)
               (list 0 1)))
     (when answer
       (let ((address (if (position #\: answer) (ip6-bytes answer) (ip4-bytes answer))))
         ;; The name is a reference to the question's.
         (append (if question (list #xc0 12) (list 0))
                 (%to-bytes (if (= (length address) 16) 28 1) 2) (list 0 1 0 0 0 60)
                 (%to-bytes (length address) 2) address))))))

(defun %extra (layer)
  "What follows a layer's fields within its header."
  (cond ((%one-of layer '("ipv4" "tcp" "geneve")) (%padded (%bytes-of (%field layer 'options)) 4))
        ((%one-of layer '("hop-by-hop" "dest-opts"))
         ;; PadN fills up to a multiple of eight.
         (let* ((given (%bytes-of (%field layer 'options))) (need (mod (- 6 (length given)) 8)))
           (append given (case need (0 nil) (1 (list 0)) (t (list* 1 (- need 2) (make-list (- need 2) :initial-element 0)))))))
        ((%layer-is layer "routing") (let ((b (%bytes-of (%field layer 'options 4)))) (append b (make-list (mod (- 4 (length b)) 8) :initial-element 0))))
        ((%layer-is layer "ah") (%padded (%bytes-of (%field layer 'icv 12)) 4))
        ((%layer-is layer "icmpv6")
         (append (when (%field layer 'target) (ip6-bytes (%field layer 'target))) (%bytes-of (%field layer 'options))))
        ((%layer-is layer "dns") (%dns-body layer))
        ((%layer-is layer "gre")
         (append (when (%field layer 'checksum) (list 0 0 0 0))
                 (when (%field layer 'key) (%to-bytes (%field layer 'key) 4))
                 (when (%field layer 'sequence) (%to-bytes (%field layer 'sequence) 4))))
        (t nil)))

(defun %auto (layer field extra rest next after)
  "The value that a computed field has; checksums come later."
  (let ((name (symbol-name field)))
    (flet ((field-p (&rest names) (find name names :test #'string-equal)))
      (cond ((field-p "checksum") 0)
            ((and (field-p "type" "protocol") (%one-of layer '("eth" "vlan" "gre" "geneve"))) (%ethertype next after))
            ((field-p "protocol") (%ip-protocol next 255))
            ((field-p "nexthdr") (%ip-protocol next 59))
            ((field-p "ihl" "doff") (+ 5 (floor (length extra) 4)))
            ((field-p "total-len") (+ 20 (length extra) (length rest)))
            ((field-p "payload-len") (length rest))
            ((field-p "length") (+ 8 (length rest)))
            ((field-p "opt-len") (floor (length extra) 4))
            ((field-p "len") (if (%layer-is layer "ah")
                                 (- (floor (+ 12 (length extra)) 4) 2)
                                 (floor (+ (if (%layer-is layer "routing") 4 2) (length extra) -8) 8)))
            ((field-p "dst-port") (cond ((%layer-is next "dns") 53) ((%layer-is next "vxlan") 4789) ((%layer-is next "geneve") 6081) (t 9)))
            ((field-p "checksum-present") (if (%field layer 'checksum) 1 0))
            ((field-p "key-present") (if (%field layer 'key) 1 0))
            ((field-p "sequence-present") (if (%field layer 'sequence) 1 0))
            ((field-p "questions") (if (%field layer 'question) 1 0))
            ((field-p "answers") (if (%field layer 'answer) 1 0))
            (t (error "nothing computes ~s of ~s" field (first layer)))))))

(defun %aliased (layer)
  "The layer with other names of its fields put into theirs."
  (flet ((more (key value) (nconc layer (list key value))))
    (loop for (other own) in '((src-addr :src) (dst-addr :dst) (src-mac :src) (dst-mac :dst) (mtu :sequence))
          do (when (%field layer other) (more own (%field layer other))))
    (when (and (%layer-is layer "ipv4") (%field layer 'tos))
      (more :dscp (ash (%field layer 'tos) -2))
      (more :ecn (logand (%field layer 'tos) 3)))
    (when (and (%one-of layer '("icmp" "icmpv6")) (%field layer 'rest))
      (more :id (ash (%field layer 'rest) -16))
      (more :sequence (logand (%field layer 'rest) 65535)))
    (when (and (%layer-is layer "tcp") (%field layer 'flags))
      (loop for f in '(:fin :syn :rst :psh :ack :urg :ece :cwr) for i from 0
            do (more f (logand 1 (ash (%field layer 'flags) (- i))))))
    layer))

(defun %sum (bytes)
  "The Internet checksum of bytes."
  (let ((sum 0))
    (loop while bytes
          do (incf sum (+ (* 256 (pop bytes)) (if bytes (pop bytes) 0))))
    (loop while (> sum 65535) do (setf sum (+ (logand sum 65535) (ash sum -16))))
    (logxor sum 65535)))

(defun %address-bytes (layer field)
  (let ((value (%field layer field)) (v6 (%layer-is layer "ipv6")))
    (if (integerp value)
        (%to-bytes value (if v6 16 4))
        (let ((text (or value (third (%named field (rest (%named (first layer) *layers*)))))))
          (if v6 (ip6-bytes text) (ip4-bytes text))))))

(defun %pseudo-header (layers i protocol length)
  "What transport checksums cover of the network header in front."
  (let ((ip (loop for k from (1- i) downto 0
                  do (when (%one-of (aref layers k) '("ipv4" "ipv6")) (return (aref layers k))))))
    (cond ((null ip) nil)
          ((%layer-is ip "ipv4")
           (append (%address-bytes ip 'src) (%address-bytes ip 'dst) (list 0 protocol) (%to-bytes length 2)))
          (t (append (%address-bytes ip 'src) (%address-bytes ip 'dst) (%to-bytes length 4) (list 0 0 0 protocol))))))

(defun %with-checksum (layers i header extra rest)
  "The header with its checksum, unless that was given."
  (let* ((layer (aref layers i)) (length (+ (length header) (length extra) (length rest))))
    (flet ((set-at (bytes at sum)
             (append (subseq bytes 0 at) (%to-bytes sum 2) (nthcdr (+ at 2) bytes)))
           (all (protocol) (append (%pseudo-header layers i protocol length) header extra rest)))
      (cond ((and (%layer-is layer "gre") (eq (%field layer 'checksum) t))
             (append header (set-at extra 0 (%sum (append header extra rest))) rest))
            ((%field layer 'checksum) (append header extra rest))
            ((%layer-is layer "ipv4") (append (set-at header 10 (%sum (append header extra))) extra rest))
            ((%layer-is layer "tcp") (append (set-at header 16 (%sum (all 6))) extra rest))
            ((%layer-is layer "udp")
             (let ((sum (%sum (all 17))))
               (append (set-at header 6 (if (zerop sum) 65535 sum)) extra rest)))
            ((%layer-is layer "icmp") (append (set-at header 2 (%sum (append header extra rest))) extra rest))
            ((%layer-is layer "icmpv6") (append (set-at header 2 (%sum (all 58))) extra rest))
            (t (append header extra rest))))))

(defun %build-layer (layers i rest)
  (let ((layer (aref layers i)))
    (if (%layer-is layer "payload")
        (append (mapcan #'%bytes-of (rest layer)) rest)
        (let* ((row (%check-fields layer))
               (layer (setf (aref layers i) (%aliased layer)))
               (extra (%extra layer))
               (next (when (< (1+ i) (length layers)) (aref layers (1+ i))))
               (after (when (< (+ 2 i) (length layers)) (aref layers (+ 2 i))))
               (number 0) (bits 0))
          (dolist (field (rest row))
            (destructuring-bind (name kind &optional (default 0)) field
              (let* ((width (%bits kind))
                     (given (%field layer name :none))
                     (value (%number (cond ((not (eq given :none)) given)
                                           ((eq default :auto) (%auto layer name extra rest next after))
                                           (t default))
                                     kind)))
                (unless (and (integerp value) (<= 0 value) (< value (ash 1 width)))
                  (error "~(~a ~a~) is ~s, which does not fit into ~a bits" (first layer) name value width))
                (setf number (logior (ash number width) value))
                (incf bits width))))
          (%with-checksum layers i (%to-bytes number (floor bits 8)) extra rest)))))

(defun build-packet (layers)
  "The bytes of a packet of these layers, each a list as `layer` makes one."
  (let* ((v (coerce (%layers layers) 'vector)) (bytes nil))
    (loop for i from (1- (length v)) downto 0
          do (setf bytes (%build-layer v i bytes)))
    (make-array (length bytes) :element-type '(unsigned-byte 8) :initial-contents bytes)))

;; Taking packets apart.

(defun %ref (packet at count)
  (let ((n 0))
    (loop for i from at below (+ at count) do (setf n (+ (* n 256) (aref packet i))))
    n))

(defun %show-address (number kind)
  (case kind
    (ip4 (format nil "~{~d~^.~}" (%to-bytes number 4)))
    (mac (format nil "~{~(~2,'0x~)~^:~}" (%to-bytes number 6)))
    (ip6 (let* ((groups (loop for i from 7 downto 0 collect (logand (ash number (* -16 i)) 65535)))
                (start nil) (best 1))
           ;; The first longest run of zeros is left out (RFC 5952).
           (loop for i from 0 below 8
                 do (let ((n (loop for k from i below 8 while (zerop (nth k groups)) count t)))
                      (when (> n best) (setf start i best n))))
           (flet ((part (from to) (format nil "~{~(~x~)~^:~}" (subseq groups from to))))
             (if start
                 (format nil "~a::~a" (part 0 start) (part (+ start best) 8))
                 (part 0 8)))))
    (t number)))

(defun %fields-at (packet at row)
  "The fields of a header at a place, and its length without what varies; nil when the packet ends before."
  (let* ((bits (reduce #'+ (mapcar (lambda (f) (%bits (second f))) (rest row)))) (count (floor bits 8)))
    (when (<= (+ at count) (length packet))
      (let ((number (%ref packet at count)) (left bits) (fields nil))
        (dolist (field (rest row))
          (let ((width (%bits (second field))))
            (decf left width)
            (push (%key (first field)) fields)
            (push (%show-address (logand (ash number (- left)) (1- (ash 1 width))) (second field)) fields)))
        (values (nreverse fields) count)))))

(defun %header-length (name fields count)
  (flet ((f (key) (getf fields key)))
    (case name
      (ipv4 (* 4 (f :ihl)))
      (tcp (* 4 (f :doff)))
      (geneve (+ 8 (* 4 (f :opt-len))))
      (gre (+ 4 (* 4 (+ (f :checksum-present) (f :key-present) (f :sequence-present)))))
      ((hop-by-hop routing dest-opts) (* 8 (1+ (f :len))))
      (ah (* 4 (+ 2 (f :len))))
      (t count))))

(defun %link-next (type)
  (case type (#x0800 'ipv4) (#x86dd 'ipv6) (#x0806 'arp) ((#x8100 #x88a8) 'vlan) (#x6558 'eth)))

(defun %ip-next (protocol)
  (let ((row (find protocol *ip-protocols* :key #'second)))
    (when row (first (find-if (lambda (r) (string-equal (symbol-name (first r)) (first row))) *layers*)))))

(defun %next-layer (name fields)
  (flet ((f (key) (getf fields key)))
    (case name
      ((eth vlan) (%link-next (f :type)))
      ((gre geneve) (%link-next (f :protocol)))
      (vxlan 'eth)
      (ipv4 (when (zerop (f :fragment-offset)) (%ip-next (f :protocol))))
      ((ipv6 hop-by-hop routing dest-opts ah) (%ip-next (f :nexthdr)))
      (fragment (when (zerop (f :fragment-offset)) (%ip-next (f :nexthdr))))
      (udp (cond ((or (= (f :dst-port) 53) (= (f :src-port) 53)) 'dns)
                 ((= (f :dst-port) 4789) 'vxlan)
                 ((= (f :dst-port) 6081) 'geneve))))))

(defun packet-layers (packet &optional (first 'eth))
  "The layers of a packet, outermost first, each (name :field value …); addresses as text. What is left is (payload bytes)."
  (let ((packet (coerce packet 'vector)) (at 0) (name first) (layers nil))
    (loop while name
          do (multiple-value-bind (fields count) (%fields-at packet at (%named name *layers*))
               (let ((length (when fields (%header-length name fields count))))
                 (if (and fields (<= count length) (<= (+ at length) (length packet)))
                     (let ((extra (subseq packet (+ at count) (+ at length))))
                       (push (cons name (if (plusp (length extra)) (append fields (list :options (coerce extra 'list))) fields)) layers)
                       (incf at length)
                       (setf name (%next-layer name fields)))
                     (setf name nil)))))
    (when (< at (length packet))
      (push (list 'payload (coerce (subseq packet at) 'list)) layers))
    (nreverse layers)))

(defun packet-field (packet layer field &key (nth 0))
  "A field of a packet, as (packet-field p :ipv4 :ttl); of the NTH such layer. Nil when there is none."
  (let ((found (remove-if-not (lambda (l) (string-equal (symbol-name (first l)) (symbol-name layer))) (packet-layers packet))))
    (when (nth nth found) (getf (rest (nth nth found)) (%key field)))))

(defun packet-payload (packet)
  "What is behind the last header, as a list of bytes."
  (second (find-if (lambda (l) (%layer-is l "payload")) (packet-layers packet))))

(defun %sums-right (layers)
  "The layers with what is computed taken out, to be built again."
  (mapcar (lambda (layer)
            (if (%layer-is layer "payload")
                layer
                (cons (first layer)
                      (loop for (key value) on (rest layer) by #'cddr
                            append (if (member key '(:checksum :total-len :payload-len :length :ihl :doff)) nil (list key value))))))
          layers))

(defun packet-ok? (packet)
  "Whether all lengths and checksums of IP, TCP, UDP and ICMP in a packet are right."
  (let* ((layers (packet-layers packet))
         (again (build-packet (%sums-right (mapcar #'%rebuilt layers)))))
    (equalp (coerce again 'list) (coerce packet 'list))))

(defun %rebuilt (layer)
  "A layer taken apart as one to be built: what follows its fields as it was."
  (cond ((%one-of layer '("gre" "routing" "ah" "dns"))
         (let ((options (getf (rest layer) :options)))
           (list 'payload (append (%raw-fields layer) options))))
        ((and (%layer-is layer "udp") (eql 0 (getf (rest layer) :checksum)))
         ;; No checksum is one of the right ones over IPv4.
         (list 'payload (%raw-fields layer)))
        (t layer)))

(defun %raw-fields (layer)
  (let ((number 0) (bits 0))
    (dolist (field (rest (%named (first layer) *layers*)))
      (let ((width (%bits (second field))))
        (setf number (logior (ash number width) (%number (getf (rest layer) (%key (first field))) (second field))))
        (incf bits width)))
    (%to-bytes number (floor bits 8))))

(defun hexdump (bytes)
  "Bytes as lines of sixteen."
  (let ((bytes (coerce bytes 'list)) (at 0))
    (with-output-to-string (out)
      (loop while bytes
            do (let ((line (loop repeat 16 while bytes collect (pop bytes))))
                 (format out "~4,'0x  ~{~(~2,'0x~)~^ ~}~%" at line)
                 (incf at 16))))))
