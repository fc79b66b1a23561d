;;; `with-bpf-session`: maps and programs declared in it, attached, read; all gone at its end. Inside of a function,
;;; with the user's own package.
;;; traffic: yes
;;; ways: kernel check
;;; out: attached 1
;;; out: counted t
;;; out: 41
;;; out: nil
;;; out: after nil
(asdf:load-system "whistler/loader")
(defpackage #:my-counter
  (:use #:cl #:whistler #:whistler/loader)
  (:shadowing-import-from #:whistler #:incf #:decf))
(in-package #:my-counter)

(defun count-packets (cgroup)
  (with-bpf-session ()
    (bpf:map pkt-count :type :array :key-size 4 :value-size 8 :max-entries 1)
    (bpf:map by-port :type :hash :key u16 :value u64 :max-entries 16)
    (bpf:prog count-egress (:type :cgroup-skb :section "cgroup_skb/egress" :license "GPL")
      (incf (getmap pkt-count 0))
      1)
    (bpf:attach count-egress cgroup)
    (format t "attached ~d~%" (length (links)))
    (loop repeat 200
          until (plusp (or (bpf:map-ref pkt-count 0) 0))
          do (sleep 0.02))
    (format t "counted ~a~%" (plusp (bpf:map-ref pkt-count 0)))
    (setf (bpf:map-ref by-port 80) 41)
    (format t "~a~%" (bpf:map-ref by-port 80))
    (format t "~a~%" (bpf:map-ref by-port 81))))

(count-packets (posix-getenv "TEST_CGROUP"))
(format t "after ~a~%" (links))
