/// What an administrator does in a run, on node 1, while everything that can go wrong goes wrong.
public enum VolumeOperation: String, CaseIterable, Sendable {
  /// A linear volume that is active on all nodes.
  case extend
  /// The same by LVM's own command, which writes and changes over on its node itself; the others reload
  /// before its lock is released.
  case extendByLVM = "extend-by-lvm"
  /// A linear volume that is active on node 1 only.
  case reduce
  /// The same while node 2 has the volume active, which forbids it.
  case reduceShared = "reduce-shared"
  /// A RAID1 volume that is active on node 1 only.
  case extendRAID = "extend-raid"
  /// A volume that is active on all nodes.
  case rename
  /// A volume that nobody uses but that node 1 has active.
  case remove
  /// All volumes active on all nodes.
  case renameGroup = "rename-group"
  /// A volume that becomes read-only, active on all nodes.
  case permission
  /// A volume that is active nowhere.
  case activate
  /// A volume that is active on all nodes.
  case deactivate
  /// A volume that is active on all nodes and whose devices are as they should be.
  case refresh
}

/// Something that goes wrong once.
public enum VolumeFault: String, CaseIterable, Sendable {
  /// The whole machine is gone; it is back, with no device, after its fence.
  case powerCut = "power-cut"
  /// The daemon is gone and started again; the kernel's devices stay as they are.
  case daemonKill = "daemon-kill"
  /// The daemon is gone and comes back before anybody misses it: the same member with another daemon,
  /// where the cluster has a record. Elsewhere, as `daemonKill`.
  case daemonRenewal = "daemon-renewal"
  /// The daemon does nothing for a while, less than the others' patience.
  case shortStall = "short-stall"
  /// The daemon does nothing for so long that the others remove and fence the node.
  case longStall = "long-stall"
  /// A physical volume disappears from this node only.
  case lostDisk = "lost-disk"
  /// The kernel refuses the next operation that changes a device.
  case refusal
  /// The kernel refuses for a while to put any table into service that does not fail all I/O.
  case refusals
  /// The next write to a metadata area fails.
  case writeError = "write-error"
  /// The next message of this node comes late.
  case lateMessage = "late-message"
  /// The next message of this node is lost.
  case lostMessage = "lost-message"
  /// Every message of this node comes once more, much later.
  case echoes
  /// The command goes away. Only of node 1.
  case commandEnds = "command-ends"
}

/// A fault at a place in a run: before, in the middle of, or after the effect with that number.
public struct PlannedFault: Hashable, Sendable, CustomStringConvertible {
  public enum Moment: String, CaseIterable, Sendable {
    case before = "-"
    /// Of a write: a part of it reached the disk. Of anything else: as `after`.
    case within = "~"
    case after = "+"
  }

  /// Effects are counted from 0: writes, operations that change a device, messages, locks.
  public let effect: Int
  public let moment: Moment
  public let fault: VolumeFault
  /// 1 to 3.
  public let node: Int32

  public init(effect: Int, moment: Moment, fault: VolumeFault, node: Int32) {
    self.effect = effect
    self.moment = moment
    self.fault = fault
    self.node = node
  }

  /// As `37-power-cut@2`.
  public var description: String { "\(effect)\(moment.rawValue)\(fault.rawValue)@\(node)" }

  public init?(_ text: some StringProtocol) {
    let digits = text.prefix { $0.isNumber }
    let rest = text.dropFirst(digits.count)
    guard let effect = Int(digits), let sign = rest.first, let moment = Moment(rawValue: "\(sign)"),
      let at = rest.lastIndex(of: "@"),
      let fault = VolumeFault(rawValue: String(rest[..<at].dropFirst())),
      let node = Int32(rest[rest.index(after: at)...]), (1...3).contains(node)
    else { return nil }
    self.init(effect: effect, moment: moment, fault: fault, node: node)
  }
}

/// A run, and its name: whoever has the name can run it again.
public struct VolumeRun: Hashable, Sendable, CustomStringConvertible {
  public var operation: VolumeOperation
  /// Decides how long messages take.
  public var seed: UInt64
  public var faults: [PlannedFault]
  public var mutation: VolumeMutation?

  public init(
    _ operation: VolumeOperation, seed: UInt64 = 1, faults: [PlannedFault] = [],
    mutation: VolumeMutation? = nil
  ) {
    self.operation = operation
    self.seed = seed
    self.faults = faults
    self.mutation = mutation
  }

  /// As `extend/1/37-power-cut@2/90+lost-disk@1`.
  public var description: String {
    (["\(operation.rawValue)", "\(seed)"] + faults.map(\.description)).joined(separator: "/")
  }

  public init?(_ text: some StringProtocol, mutation: VolumeMutation? = nil) {
    let parts = text.split(separator: "/")
    guard parts.count >= 2, let operation = VolumeOperation(rawValue: String(parts[0])),
      let seed = UInt64(parts[1])
    else { return nil }
    let faults = parts.dropFirst(2).map { PlannedFault($0) }
    guard faults.allSatisfy({ $0 != nil }) else { return nil }
    self.init(operation, seed: seed, faults: faults.compactMap { $0 }, mutation: mutation)
  }
}

/// A deliberate defect, made at the boundary of the machines. The simulation must catch each.
public enum VolumeMutation: String, CaseIterable, Sendable {
  /// A participant says that it is prepared and has done nothing.
  case pretendsToPrepare = "pretends-to-prepare"
  case pretendsToResume = "pretends-to-resume"
  case pretendsToAbandon = "pretends-to-abandon"
  case pretendsToIsolate = "pretends-to-isolate"
  /// The coordinator takes everybody for prepared as soon as it has asked.
  case assumesPrepared = "assumes-prepared"
  case assumesSuspended = "assumes-suspended"
  case assumesResumed = "assumes-resumed"
  /// The coordinator takes the record to say what it was asked to say.
  case assumesRecorded = "assumes-recorded"
  /// A participant resumes as soon as it is prepared.
  case resumesBeforeCommit = "resumes-before-commit"
  /// A committed change is taken for one whose commit failed.
  case deniesCommit = "denies-commit"
  /// A dead holder's lock is free as soon as it is removed.
  case grantsBeforeFence = "grants-before-fence"
  /// A dead holder's lock is free before the survivors have followed the disk.
  case grantsBeforeRecovery = "grants-before-recovery"
  /// Nobody asks for the lock.
  case ignoresLock = "ignores-lock"
  /// The lock is released once the metadata is committed.
  case releasesAtCommit = "releases-at-commit"
  /// Recovery follows the precommitted metadata.
  case followsPrecommitted = "follows-precommitted"
  /// The lock of LVM's own command is released before the others have reloaded.
  case skipsReload = "skips-reload"
  /// A daemon's new life does not look at what the earlier one left.
  case ignoresLeftovers = "ignores-leftovers"
  /// A volume loses its end wherever it is active.
  case shrinksAnywhere = "shrinks-anywhere"
  /// Nobody suspends before extents are taken away.
  case skipsSuspend = "skips-suspend"
  /// Physical volumes that the coordinator does not see are dropped from the group.
  case dropsMissing = "drops-missing"
  /// What the coordinator wrote without committing it is committed later on.
  case commitsAbandoned = "commits-abandoned"
}
