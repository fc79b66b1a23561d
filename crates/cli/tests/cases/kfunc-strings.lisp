;;; The kernel's string functions take literals, globals and addresses; what is not found is -2.
;;; packet: 00
;;; target: 6.18
;;; out: 0 -1 1 0 5 2 -2 5 3 3 4 2 3 -2 3 0
(defparam word (array char 6) #(104 101 108 108 111 0))
(defmap out :type :array :key u32 :value i64 :max-entries 32)
(defprog main (:type :xdp)
  (setf (getmap out 0) (strcmp "abc" "abc")
        (getmap out 1) (strcmp "abc" "abd")
        (getmap out 2) (strcmp "b" "abd")
        (getmap out 3) (strcasecmp "ABC" "abc")
        (getmap out 4) (strlen word)
        (getmap out 5) (strchr word #\l)
        (getmap out 6) (strchr word #\z)
        (getmap out 7) (strchrnul word #\z)
        (getmap out 8) (strrchr word #\l)
        (getmap out 9) (strnlen word 3)
        (getmap out 10) (strspn word "lheabc")
        (getmap out 11) (strcspn word "l")
        (getmap out 12) (strstr word "lo")
        (getmap out 13) (strnstr word "lo" 4)
        (getmap out 14) (strnstr word "lo" 5)
        (getmap out 15) (strcmp word "hello"))
  XDP_PASS)
