// The wire format of the Linux kernel's fs/dlm, and its reliability layer.
