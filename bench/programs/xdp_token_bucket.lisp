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
