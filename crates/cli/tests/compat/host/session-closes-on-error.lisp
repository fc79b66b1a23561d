;;; An error inside of a session closes it on the way out.
;;; ways: kernel
;;; out: inside 1
;;; out: caught stop
;;; out: links nil
(handler-case
    (with-bpf-session ()
      (bpf:map m :type :array :key-size 4 :value-size 8 :max-entries 1)
      (bpf:prog p (:type :xdp) XDP_PASS)
      (bpf:attach p "lo")
      (format t "inside ~a~%" (length (links)))
      (error "stop"))
  (error (e) (format t "caught ~a~%" e)))
(format t "links ~a~%" (links))
