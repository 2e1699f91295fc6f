// What a node does to its disks and its mapped devices for a change of a volume group.
//
// `VolumeCoordination` decides which job is to be done when; this module does it, over two
// protocols: `VolumeActivation.DeviceMapping` for the kernel, `VolumeGroupDisks` for the disks. So
// the very code that the daemon runs also runs in the simulation, where every write and every
// operation on a device may be the last one before a crash.
//
// * `VolumeGroupJobs`: the jobs of one volume group on one node.
// * `PreparedChange`: what a participant keeps from one step to the next.
