;;; An enum's names are constants.
;;; packet: 01
;;; out: 0 1 7 8 1
(defenum verdict (:pass 0) (:drop 1) (:later 7) :last)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) +verdict-pass+
          (getmap out 1) +verdict-drop+
          (getmap out 2) +verdict-later+
          (getmap out 3) +verdict-last+
          (getmap out 4) (= (load u8 d 0) +verdict-drop+)))
  XDP_PASS)
