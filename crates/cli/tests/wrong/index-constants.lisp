;; class: constant-index
;; codes: E0203 E0203 E0203 E0203 E0203
(defstruct rec (ys (array u32 4)) (m (array (array u8 2) 3)))
(defparam table (array u32 4) #(1 2 3 4))
(defmap arr :type :percpu-array :key u32 :value u64 :max-entries 4)
(defmap next :type :prog-array :max-entries 2)
(defprog p (:type :xdp)
  (let ((r (make-rec)))
    (setf (rec-ys r 4) 1)
    (setf (rec-m r 2 2) 1)
    (getmap arr 4)
    (aref table 4)
    (aref table -1)
    XDP_PASS))
