;;; Limits the byte rate of every source address with a token bucket: the counterpart of xdp_token_bucket.bpf.c.

(defconstant +second+ 1000000000)
(defconstant +mapped-prefix+ #xffff0000)        ; 00 00 ff ff as a little-endian word

(defstruct source (words (array u32 4)))
(defstruct limit (rate u64) (burst u64))
(defstruct bucket (tokens u64) (last u64) (passed u64) (dropped u64))

(defmap config :type :array :key u32 :value limit :max-entries 1)
(defmap buckets :type :lru-hash :key source :value bucket :max-entries 65536)

(defprog xdp_token_bucket (:type :xdp :section "xdp" :license "GPL")
  (with-eth (data end)
    (let ((ip (+ data +eth-hdr-len+))
          (len (cast u64 (- end data)))
          (key (make-source)))
      (case (eth-type data)
        (#x0800
         (unless (<= (+ ip 20) end) (return XDP_PASS))
         (setf (source-words key 2) +mapped-prefix+
               (source-words key 3) (ipv4-src-addr ip)))
        (#x86dd
         (unless (<= (+ ip 40) end) (return XDP_PASS))
         (memcpy key 0 ip 8 16))
        (t (return XDP_PASS)))
      (let ((limit (map-lookup config 0)))
        (unless (and limit (/= (limit-rate limit) 0))
          (return XDP_PASS))
        (let ((now (ktime-get-ns)))
          (if-let (b (map-lookup buckets key))
            (let* ((elapsed (min (- now (bucket-last b)) +second+))
                   (tokens (min (+ (bucket-tokens b) (/ (* elapsed (limit-rate limit)) +second+))
                                (limit-burst limit))))
              (setf (bucket-last b) now)
              (when (< tokens len)
                (setf (bucket-tokens b) tokens)
                (incf (bucket-dropped b))
                (return XDP_DROP))
              (setf (bucket-tokens b) (- tokens len))
              (incf (bucket-passed b)))
            (let ((fresh (make-bucket))
                  (tokens (limit-burst limit))
                  (verdict XDP_DROP))
              (setf (bucket-last fresh) now)
              (if (>= tokens len)
                  (setf (bucket-tokens fresh) (- tokens len)
                        (bucket-passed fresh) 1
                        verdict XDP_PASS)
                  (setf (bucket-tokens fresh) tokens
                        (bucket-dropped fresh) 1))
              (setf (getmap buckets key) fresh)
              (return verdict)))))))
  XDP_PASS)

(defun limit-to (rate burst)
  (setf (map-ref config 0) (make-limit-record :rate rate :burst burst)))

(defun from (address length)
  "An IPv4 packet of so many bytes."
  (packet (eth) (ipv4 :src address) (udp) (payload (- length 42))))

(defun only-bucket ()
  (let ((b (cdr (first (map-entries buckets)))))
    (list (bucket-tokens b) (bucket-last b) (bucket-passed b) (bucket-dropped b))))

(defun ignored? (p)
  (multiple-value-bind (verdict after) (run-prog xdp_token_bucket p)
    (and (= verdict XDP_PASS) (equalp after p) (zerop (map-count buckets)))))

(defun key (bytes)
  "The key of these sixteen bytes."
  (make-source-record :words (loop for i from 0 below 16 by 4
                            collect (htonl (reduce (lambda (a b) (+ (* a 256) b)) (subseq bytes i (+ i 4)))))))

(deftest without-a-rate-nothing-is-limited
  (is (ignored? (from "10.0.0.1" 100)))
  (limit-to 0 5000)
  (is (ignored? (from "10.0.0.1" 1000)))
  (is (ignored? (packet (eth) (ipv6) (udp) (payload 900)))))

(deftest the-burst-is-spent
  (limit-to 1 250)
  (multiple-value-bind (verdict after) (run-prog xdp_token_bucket (from "10.0.0.1" 100))
    (is (= verdict XDP_PASS))
    (is (equalp after (from "10.0.0.1" 100))))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 100)) XDP_PASS))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 100)) XDP_DROP))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 50)) XDP_PASS) "what fits still passes")
  (is (= (run-prog xdp_token_bucket (from "10.0.0.2" 250)) XDP_PASS) "another source has another bucket, just enough")
  (is (= (run-prog xdp_token_bucket (from "10.0.0.3" 251)) XDP_DROP) "a byte more than there is")
  (let ((one (map-ref buckets (key '(0 0 0 0 0 0 0 0 0 0 255 255 10 0 0 1))))
        (two (map-ref buckets (key '(0 0 0 0 0 0 0 0 0 0 255 255 10 0 0 2))))
        (three (map-ref buckets (key '(0 0 0 0 0 0 0 0 0 0 255 255 10 0 0 3)))))
    (is (equal (list (bucket-tokens one) (bucket-passed one) (bucket-dropped one)) '(0 3 1)))
    (is (equal (list (bucket-tokens two) (bucket-passed two) (bucket-dropped two)) '(0 1 0)))
    (is (equal (list (bucket-tokens three) (bucket-passed three) (bucket-dropped three)) '(250 0 1))))
  (is (= (map-count buckets) 3)))

(deftest ipv6-sources-are-whole-addresses
  (limit-to 1 1000)
  (let ((p (packet (eth) (ipv6 :src "2001:db8:1:2:3:4:5:6" :dst "2001:db8::1") (udp))))
    (is (= (run-prog xdp_token_bucket p) XDP_PASS))
    (let ((b (map-ref buckets (key (ip6-bytes "2001:db8:1:2:3:4:5:6")))))
      (is (= (bucket-tokens b) (- 1000 (length p))))))
  ;; The IPv4 address in IPv6's clothes is the same source.
  (run-prog xdp_token_bucket (packet (eth) (ipv6 :src "::ffff:10.0.0.1") (udp)))
  (run-prog xdp_token_bucket (from "10.0.0.1" 60))
  (is (= (map-count buckets) 2))
  (is (= (bucket-passed (map-ref buckets (key (ip6-bytes "::ffff:10.0.0.1")))) 2)))

(deftest other-packets-pass
  (limit-to 1 10)
  (is (ignored? (packet (eth) (arp))))
  (is (ignored? (packet (eth) (vlan) (ipv4) (udp))))
  (is (ignored? (packet (eth) (payload 100))))
  (let ((v4 (from "10.0.0.1" 60)) (v6 (packet (eth) (ipv6) (udp))))
    (is (ignored? (subseq v4 0 33)))
    (is (ignored? (subseq v6 0 53)))
    (is (ignored? (subseq v6 0 34)))
    (is (= (run-prog xdp_token_bucket (subseq v4 0 34)) XDP_DROP))
    (is (= (run-prog xdp_token_bucket (subseq v6 0 54)) XDP_DROP))
    (is (= (run-prog xdp_token_bucket (packet (eth) (ipv4 :ihl 0 :fragment-offset 9 :protocol 250))) XDP_DROP)
        "nothing but the address is looked at")
    (is (= (map-count buckets) 2))))

(deftest a-bucket-remembers-when
  (limit-to 1000 500)
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7000000000) XDP_PASS))
  (is (equal (only-bucket) '(400 7000000000 1 0)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 401) :clock 7000000000) XDP_DROP))
  (is (equal (only-bucket) '(400 7000000000 1 1)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 402) :clock 7001000000) XDP_DROP))
  (is (equal (only-bucket) '(401 7001000000 1 2)) "a drop moves the time and keeps the tokens that came"))

(deftest tokens-come-by-the-rate
  (limit-to 1000 500)
  (run-prog xdp_token_bucket (from "10.0.0.1" 500) :clock 7000000000)
  (is (equal (only-bucket) '(0 7000000000 1 0)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7099999999) XDP_DROP) "99.999999 tokens are 99")
  (is (equal (only-bucket) '(99 7099999999 1 1)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7100999999) XDP_PASS))
  (is (equal (only-bucket) '(0 7100999999 2 1)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 42) :clock 7400999999) XDP_PASS))
  (is (equal (only-bucket) '(258 7400999999 3 1))))

(deftest not-more-than-the-burst-comes-together
  (limit-to 1000 500)
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7000000000)
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 501) :clock 7900000000) XDP_DROP))
  (is (equal (only-bucket) '(500 7900000000 1 1)))
  (is (= (run-prog xdp_token_bucket (from "10.0.0.1" 500) :clock 7900000000) XDP_PASS))
  (is (equal (only-bucket) '(0 7900000000 2 1))))

(deftest no-more-than-a-second-counts
  (limit-to 1000 100000)
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7000000000)
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 8000000001)
  (is (equal (only-bucket) '(99900 8000000001 2 0)) "99900 + 1000, at most the burst, less 100")
  (limit-to 1000 1000000)
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 20000000000)
  (is (equal (only-bucket) '(100800 20000000000 3 0)))
  ;; A clock that went back is a long time ago, too.
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 19000000000)
  (is (equal (only-bucket) '(101700 19000000000 4 0))))

(deftest products-beyond-64-bits-wrap
  (limit-to 40000000000 (1- (expt 2 63)))
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 7000000000)
  (setf (map-ref buckets (key '(0 0 0 0 0 0 0 0 0 0 255 255 10 0 0 1))) (make-bucket-record :last 7000000000))
  (run-prog xdp_token_bucket (from "10.0.0.1" 100) :clock 8000000000)
  (is (= (first (only-bucket))
         (- (floor (mod (* 1000000000 40000000000) (expt 2 64)) 1000000000) 100))))
