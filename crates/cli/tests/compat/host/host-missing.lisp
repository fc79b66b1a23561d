;;; A missing operator is an error that names it and the nearest.
;;; exit: 1
;;; err: there is no function or operator `handler-casse`
;;; err: the nearest name is `handler-case`
(handler-casse 1 2)
