;;; `attach-xdp` with its modes, `attach-tc` with its directions, `attach-cgroup` with type and flags, `attach-obj-…`,
;;; by descriptor or program; `detach`.
;;; traffic: yes
;;; ways: kernel
;;; out: (t t t t)
;;; out: (nil nil nil)
;;; out: 4
;;; out: seen t t t t
;;; out: 1 1 1 1 0
;;; out: there is no XDP mode `fast`
;;; out: refused refused
;;; out: bpf-error
;;; out: 2
;;; out: nil
(defmap hits :type :array :key-size 4 :value-size 8 :max-entries 4)
(defprog on-xdp (:type :xdp) (incf (getmap hits 0)) XDP_PASS)
(defprog on-in (:type :tc) (incf (getmap hits 1)) TC_ACT_OK)
(defprog on-out (:type :tc) (incf (getmap hits 2)) TC_ACT_OK)
(defprog on-cg (:type :cgroup-skb :section "cgroup_skb/egress") (incf (getmap hits 3)) 1)
(defparameter *cgroup* (posix-getenv "TEST_CGROUP"))
(let ((fds (list (prog-info-fd on-xdp) (prog-info-fd on-in) (prog-info-fd on-out) (prog-info-fd on-cg))))
  (format t "~a~%" (mapcar #'integerp fds))
  (let* ((a (attach-xdp (first fds) "lo" :mode "xdpgeneric"))
         (b (attach-tc (second fds) "lo"))
         (c (attach-tc (third fds) "lo" :direction "egress"))
         (d (attach-cgroup (fourth fds) *cgroup* +bpf-cgroup-inet-egress+ :flags 2)))
    (format t "~a~%" (list (null a) (null b) (null d)))
    (format t "~a~%" (length (links)))
    (loop repeat 200
          until (every (lambda (i) (plusp (map-lookup-int hits i))) '(0 1 2 3))
          do (sleep 0.02))
    (format t "seen ~{~a~^ ~}~%" (mapcar (lambda (i) (plusp (map-lookup-int hits i))) '(0 1 2 3)))
    (format t "~a ~a ~a ~a ~a~%" (detach a) (detach b) (detach c) (detach d) (length (links)))))
(handler-case (attach-xdp on-xdp "lo" :mode "fast") (error (e) (format t "~a~%" e)))
(flet ((tried (mode) (handler-case (progn (detach (attach-xdp on-xdp "lo" :mode mode)) "attached")
                       (bpf-error () "refused"))))
  ;; The loopback has neither.
  (format t "~a ~a~%" (tried "xdpdrv") (tried "xdpoffload")))
(handler-case (attach-xdp on-xdp "nowhere0") (bpf-error () (format t "bpf-error~%")))
(defparameter *file* (format nil "~a/n.bpf.o" (posix-getenv "TEST_DIR")))
(compile-to-elf *file*)
(with-bpf-object (o *file*)
  (attach-obj-xdp o "on_xdp" "lo")
  (attach-obj-cgroup o "on_cg" *cgroup* +bpf-cgroup-inet-egress+)
  (format t "~a~%" (length (links))))
(format t "~a~%" (links))
