;;; Limits new TCP connections by IPv4 source address: a fixed number of SYN packets in every
;;; one-second window; what is beyond is dropped.
;;;
;;;   whistler run examples/syn-limit.lisp eth0
;;;   whistler compile examples/syn-limit.lisp -o syn-limit.bpf.o

(defconstant +window-ns+ 1000000000)
(defconstant +syn-limit+ 20)

(defstruct source
  (start   u64)
  (count   u32)
  (dropped u32))

(defmap sources :type :lru-hash :key u32 :value source :max-entries 65536)
(defmap stats :type :percpu-array :key u32 :value u64 :max-entries 2)

(defprog syn-limit (:type :xdp :section "xdp" :license "GPL")
  (with-ipv4 (data data-end ip)
    (let ((options (- (ash (logand (ipv4-ver-ihl ip) #x0f) 2) 20)))
      (when (and (= (ipv4-protocol ip) +ip-proto-tcp+)
                 (>= (cast i64 options) 0)
                 (= (logand (ipv4-frag-off ip) #x1fff) 0))
        (with-tcp (data2 data-end2 tcp)
          (when (= (logand (tcp-flags tcp) (logior +tcp-syn+ +tcp-ack+)) +tcp-syn+)
            (incf (getmap stats 0))
            (let ((now (ktime-get-ns))
                  (saddr (ipv4-src-addr ip)))
              (if-let (s (map-lookup sources saddr))
                (cond ((>= (- now (source-start s)) +window-ns+)
                       (setf (source-start s) now
                             (source-count s) 1))
                      (t
                       (incf (source-count s))
                       (when (> (source-count s) +syn-limit+)
                         (incf (source-dropped s))
                         (incf (getmap stats 1))
                         (return XDP_DROP))))
                (let ((fresh (make-source)))
                  (setf (source-start fresh) now
                        (source-count fresh) 1)
                  (setf (getmap sources saddr) fresh)))))))))
  XDP_PASS)

(defun main (interface)
  (attach syn-limit interface)
  (format t "limiting new connections on ~a to ~d a second and address~%" interface +syn-limit+)
  (watch stats))

(defun syn-from (address) (packet (eth) (ipv4 :src address) (tcp :syn t)))

(deftest as-many-as-the-limit-pass
  (dotimes (i +syn-limit+)
    (is (= (run-prog syn-limit (syn-from "10.0.0.1")) XDP_PASS)))
  (dotimes (i 3)
    (is (= (run-prog syn-limit (syn-from "10.0.0.1")) XDP_DROP)))
  (is (= (run-prog syn-limit (syn-from "10.0.0.2")) XDP_PASS) "every address has its own count")
  (is (= (source-dropped (map-ref sources (ip4 "10.0.0.1"))) 3))
  (is (= (reduce #'+ (map-ref stats 1)) 3)))

(deftest what-is-no-new-connection-passes
  (dotimes (i 50)
    (is (= (run-prog syn-limit (packet (eth) (ipv4) (tcp :syn t :ack t))) XDP_PASS)))
  (is (= (map-count sources) 0)))

(deftest a-new-window-begins-anew
  (dotimes (i 30)
    (run-prog syn-limit (syn-from "10.0.0.1") :clock 5000000000))
  (is (= (run-prog syn-limit (syn-from "10.0.0.1") :clock 6000000000) XDP_PASS)))
