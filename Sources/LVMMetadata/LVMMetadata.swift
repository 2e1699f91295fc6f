// LVM2's metadata, without any I/O of its own: a `MetadataDevice` is handed in.
//
// Model       what a volume group is: PVs, LVs, segments, and what may be done with it.
// Text        the metadata text, read and written in LVM's own layout.
// OnDisk      labels, metadata areas, finding the newest version, changing it in steps that survive
//             a loss of power at any point.
// Allocation  which extents a growing volume gets, and sizes as LVM reads and shows them.
//
// Promises: whatever stands on a disk is read without a trap; what this module does not know is
// kept in a rewrite or the group is not changed at all; a reader finds the old or the new version
// of a group, never a mixture. Clock, host and random numbers are the caller's.
