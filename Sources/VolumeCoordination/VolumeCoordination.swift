// One change of a volume group, carried out by every node of its lockspace together: growing,
// shrinking, renaming, removing, activating … Pure value types; the daemon runs jobs, carries
// messages.
//
//     coordinator                      every participant (the coordinator's node is one)
//     ───────────                      ─────────────────
//     job writePrecommitted
//     prepare  ─────────────────────►  job prepare: read the precommitted text,
//              ◄─────────── prepared   load inactive tables
//     suspend  (all are prepared) ──►  job suspend
//              ◄────────── suspended
//     job commit (all are suspended)
//     resume   ─────────────────────►  job resume: the inactive table becomes the live one
//              ◄──────────── resumed   (and how long it stood still)
//     finished: the volume group's lock may be released
//
// `suspend` is left out where the old mapping and the new one do not contradict each other: then
// each node suspends and resumes in one go after the commit, no I/O waits for the network, and a
// node that stalls freezes nobody (`VolumeChange.Kind.leavesOldMappingFirst`).
//
// What it promises:
//
// * A "no", a timeout or a node that leaves before the commit ends in `abandon` everywhere: all
//   nodes run on the old mapping.
// * After the commit there is no way back: whoever cannot resume tries again, and is named. After
//   `followLimit` it lets its volumes fail all I/O and says so; it never writes through a mapping
//   that is over.
// * `finished` comes only when each participant has answered or is fenced.
// * A participant whose coordinator is fenced reads the disk and follows it.
// * Nothing that arrives late is carried out late.
//
// What the daemon has to do, in this order, for the effects of each input: run jobs on a worker
// thread and hand in each result once; send messages, to the node itself by handing them over
// locally; write reports to the log. It hands `nodeRemoved`, `nodeFenced` and `quorum` to all
// machines in the order of the views, and `wake` when `nextWake` has come.
//
// * `VolumeChange`: what is changed, and the name of a request.
// * `VolumeJob`: the blocking work that the daemon does for the machines, and its results.
// * `CoordinationMessage`, `…Coding`: what nodes say to each other, and its bytes.
// * `CoordinationInput`: what the machines react to, and how patient they are.
// * `ChangeCoordinator`, `ChangeResult`: the node that asked and holds the exclusive lock.
// * `ChangeParticipant`, `OpenChange`: every node of the lockspace.
// * `Reload`, `ReloadCollector`: an lvm command changed the volume group by itself, and every
//   other node reloads before the lock is released.
