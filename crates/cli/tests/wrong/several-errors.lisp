;; class: other
;; codes: E0001 E0301 E0001
;; Independent errors come in one run, in the order of the source.
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)

(defprog one (:type :xdp)
  (incf (getmap count 0))
  XDP_PASS)

(defprog two (:type :xdp)
  (let ((p (map-lookup counts 1)))
    (store u64 p 0 1))
  (ktime-get-nss)
  XDP_PASS)
