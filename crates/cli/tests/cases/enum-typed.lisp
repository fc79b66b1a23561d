;;; A keyword is a member of the enum whose place it goes to: a field, a map's key and value, a variable, an
;;; argument, a result, a comparison, a case. Two enums may share a member's name.
;;; packet: 01
;;; out: 1 1 2 7 -3 1 2 7 5
;;; map: modes[07000000] = 02000000
(defenum verdict (:pass 0) (:drop 7) (:log -3))
(defenum mode :idle :pass :busy)
(defstruct rec (n u8) (v verdict) (m mode))
(defmap modes :type :hash :key verdict :value mode :max-entries 4)
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defsubprog choose ((v verdict) (m mode)) verdict
  (if (and (= v :drop) (= m :busy)) :drop :pass))
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((r (make-rec :v :drop :m :pass)))
      (setf (getmap out 0) (= (rec-v r) :drop)
            (getmap out 1) (rec-m r))
      (setf (getmap modes :drop) :busy)
      (setf (getmap out 2) (getmap modes :drop)
            (getmap out 3) (choose (rec-v r) (getmap modes :drop)))
      (setf (rec-v r) (if (= (load u8 d 0) 1) :log :pass))
      (setf (getmap out 4) (rec-v r))
      (case (rec-m r)
        ((:idle :busy) (setf (getmap out 5) 9))
        (:pass (setf (getmap out 5) 1)))
      (let ((m mode :busy))
        (setf (getmap out 6) m)
        (when (/= m :idle) (setf (getmap out 7) +verdict-drop+)))
      (when-let ((p (map-lookup modes :drop)))
        (setf (getmap out 8) (if (= (deref p) :busy) 5 6)))))
  XDP_PASS)
