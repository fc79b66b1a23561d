;;; Forms for programs that control TCP's congestion, by the names of the kernel's own functions.

(defmacro tcp-sk (sk)
  "SK, a socket of TCP, as the struct tcp_sock that it begins."
  `(cast (ptr tcp_sock) ,sk))

(defmacro inet-csk-ca (sk type)
  "The room in SK for the control's own data, as a pointer to TYPE: a struct of at most 104 bytes."
  `(cast (ptr ,type) (-> (cast (ptr inet_connection_sock) ,sk) icsk_ca_priv)))

(defmacro tcp-in-slow-start (tp)
  "Whether the window of TP, a tcp_sock, is still below its threshold."
  (let ((s (gensym "TP")))
    `(let ((,s ,tp)) (< (-> ,s snd_cwnd) (-> ,s snd_ssthresh)))))

(defmacro tcp-is-cwnd-limited (sk)
  "Whether it was the window that held back SK, a socket of TCP: else there is no use in a larger one."
  (let ((s (gensym "TP")))
    `(let ((,s (tcp-sk ,sk)))
       (or (= (-> ,s is_cwnd_limited) 1)
           (and (tcp-in-slow-start ,s) (< (-> ,s snd_cwnd) (* 2 (-> ,s max_packets_out))))))))
