// The distributed lock manager as a pure state machine.
