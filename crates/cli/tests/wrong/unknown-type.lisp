(defstruct event (pid uint32))
