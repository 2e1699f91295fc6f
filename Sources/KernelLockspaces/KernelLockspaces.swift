// The control plane of the kernel's DLM: configfs, sysfs, uevents, device nodes.
