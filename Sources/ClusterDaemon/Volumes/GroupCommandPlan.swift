import AdminProtocol
import BlockDevices
import Glibc
import LVMMetadata
import VolumeCommands
import VolumeCoordination
import VolumeJobs

/// What a command line is to make of a shared volume group: decided and not begun.
struct GroupCommandPlan: Sendable {
  let volumeGroup: String
  let volumeGroupID: String
  let oldSeqno: UInt32
  /// The new metadata.
  let text: MetadataText
  let wipes: [ExtentWipe]
  /// PVs whose metadata areas are to be used, or ignored, from now on.
  let areaUse: [LVMIdentifier: Bool]
  /// LVs that must not be active anywhere: what changes about them is not carried to other nodes, or
  /// takes away what they hold.
  let inactive: [VolumeLock]
  /// What all nodes carry out together; nil when no node has anything to follow.
  let shared: SharedChange?
  let isTest: Bool
  let output: [String]
  let warnings: [String]
}

extension GroupCommandPlan {
  /// A change of volumes that may be active.
  struct SharedChange: Sendable, Equatable {
    let kind: VolumeChange.Kind
    /// As `VolumeChange` names them.
    let logicalVolumes: [String]
  }
}

extension VolumeWorkers {
  /// Reads the volume group, under its lock, and lets the command decide.
  func planCommand(_ request: VolumeCommandRequest) throws -> GroupCommandPlan {
    let (command, isTest) = try Self.parse(request)
    guard let name = command.groupNames?.first, let group = try disks.group(named: name) else {
      throw AdminFailure(.notFound, "Volume group \"\(command.groupNames?.first ?? "")\" not found")
    }
    try group.volumeGroup.checkNativeResize()
    var generator = SystemRandomNumberGenerator()
    var questions: [String] = []
    var announced: [String] = []
    let names = group.members.compactMap { member in
      member.scanned.map { (id: member.id, name: $0.device.name) }
    }
    let answersYes = ["-y", "--yes", "-f", "--force"].contains { request.words.contains($0) }
    var now = timespec()
    let hasTime = clock_gettime(CLOCK_REALTIME, &now) == 0
    let seconds = hasTime ? UInt64(clamping: now.tv_sec) : 0
    let context = CommandContext(
      settings: CommandSettings(), hostName: disks.hostName, now: seconds,
      makeIdentifier: { LVMIdentifier(using: &generator) },
      physicalVolume: { path in names.first { $0.name == path }?.id },
      deviceName: { id in names.first { $0.id == id }?.name ?? "[unknown]" },
      confirm: { question in
        if !answersYes { questions.append("\(question)[n]") }
        return answersYes
      },
      announce: { announced.append($0) },
      reviewSignatures: { volume, isWiped throws(VolumeGroupRefusal) in
        volume.open(on: group)
        do {
          try volume.reviewSignatures(isWiped)
        } catch {
          throw VolumeGroupRefusal("\(error)")
        }
      })
    let edit: GroupEdit
    switch command.edit(group.volumeGroup, context) {
    case .success(let result):
      guard !result.isPartlyRefused else {
        let lines = announced + questions + result.messages.map(\.text)
        throw AdminFailure(.refused, lines.joined(separator: "\n  "))
      }
      edit = result
    case .failure(let failure):
      let lines = announced + questions + failure.messages.map(\.text)
      throw AdminFailure(.refused, lines.joined(separator: "\n  "))
    }
    var changed = edit.group
    changed.seqno += 1
    let shared = group.volumeGroup.sharedChange(to: edit.group)
    let mayBeActive = shared.map { $0.kind != .remove } ?? false
    let line = ([request.command] + request.words).joined(separator: " ")
    return GroupCommandPlan(
      volumeGroup: name, volumeGroupID: group.volumeGroup.id.dashed,
      oldSeqno: group.volumeGroup.seqno,
      text: MetadataText(
        volumeGroup: changed,
        provenance: MetadataProvenance(
          generator: "clvmd", description: "Write from clvm \(line).",
          creationHost: disks.hostName, creationTime: seconds)),
      wipes: edit.wipes, areaUse: edit.areaUse,
      inactive: mayBeActive ? [] : group.volumeGroup.volumesTouched(by: edit.group),
      shared: shared, isTest: isTest,
      output: edit.messages.filter { $0.stream == .output }.map(\.text),
      warnings: announced + edit.messages.filter { $0.stream == .error }.map(\.text)
        + edit.activations.map {
          "Logical volume \(name)/\($0) is not active yet: activate it with lvchange -ay."
        })
  }

  /// The group that a request is about.
  static func groupName(of request: VolumeCommandRequest) throws(AdminFailure) -> String {
    guard let name = try parse(request).command.groupNames?.first else {
      throw AdminFailure(.invalidRequest, "Please name one volume group.")
    }
    return name
  }

  private static func parse(
    _ request: VolumeCommandRequest
  ) throws(AdminFailure) -> (command: any GroupCommand, isTest: Bool) {
    guard let type = groupCommands.first(where: { $0.name == request.command }),
      !(type is MoveCommand.Type), !(type is RenameGroupCommand.Type)
    else {
      throw AdminFailure(
        .refused, "\(request.command) is not for a volume group that the cluster has started.")
    }
    do throws(CommandLineError) {
      let arguments = try CommandArguments(
        request.words, options: type.options, command: request.command)
      try arguments.check()
      guard !["uuid", "systemid", "devices", "select"].contains(where: { arguments.has($0) }) else {
        throw CommandLineError(
          "--uuid, --systemid, --devices and --select are not for a volume group that the cluster "
            + "has started.")
      }
      let command = try type.init(arguments)
      guard command.groupNames?.count == 1 else {
        throw CommandLineError("Please name one volume group.")
      }
      return (command, arguments.has("test"))
    } catch {
      throw AdminFailure(.invalidRequest, error.messages.joined(separator: "\n  "))
    }
  }

  /// Writes what was planned; nothing that is active is concerned.
  func commit(_ plan: GroupCommandPlan) throws {
    let group = try disks.group(id: plan.volumeGroupID, slot: .committed, isWritable: true)
    guard group.volumeGroup.seqno == plan.oldSeqno else {
      throw DaemonError("VG \(plan.volumeGroup) was changed meanwhile")
    }
    try disks.archive(group.volumeGroup, before: plan.text)
    try ExtentWriter(group).wipe(plan.wipes)
    var commit = try MetadataCommit(from: group, to: plan.text, areaUse: plan.areaUse)
    try commit.write()
    try commit.precommit()
    switch commit.commit() {
    case .everywhere, .partly: break
    case .takenBack(let failures):
      throw DaemonError(failures.map(\.description).joined(separator: "; "))
    case .unknown(let failures):
      let found = try disks.group(id: plan.volumeGroupID, slot: .committed, isWritable: false)
      guard found.volumeGroup.seqno > plan.oldSeqno else {
        throw DaemonError(failures.map(\.description).joined(separator: "; "))
      }
    }
    disks.backUp(plan.text, replacing: group.volumeGroup.name)
  }
}

extension VolumeGroup {
  /// What all nodes have to follow when the group becomes `next`, if it is one thing: new names, new
  /// permissions, or removals. Anything else is not carried to nodes that have a volume active.
  func sharedChange(to next: VolumeGroup) -> GroupCommandPlan.SharedChange? {
    var renamed = next
    for index in renamed.logicalVolumes.indices {
      let volume = renamed.logicalVolumes[index]
      guard let before = logicalVolume(id: volume.id) else { return nil }
      renamed.logicalVolumes[index].name = before.name
    }
    let visible = next.logicalVolumes.filter(\.isVisible)
    let isSameSet = next.logicalVolumes.count == logicalVolumes.count
    let names = visible.filter { logicalVolume(id: $0.id)?.name != $0.name }.map(\.name)
    if isSameSet, !names.isEmpty, hasMappings(of: renamed) {
      return GroupCommandPlan.SharedChange(kind: .rename, logicalVolumes: names)
    }
    guard names.isEmpty else { return nil }
    let left = Set(next.logicalVolumes.map(\.id))
    let gone = logicalVolumes.filter { $0.isVisible && !left.contains($0.id) }.map(\.name)
    if !gone.isEmpty {
      // A snapshot's device is part of its origin, which stays.
      let isWhole = gone.allSatisfy { lockHolder(of: $0) == $0 }
      let rest = next.logicalVolumes.allSatisfy { logicalVolume(id: $0.id) == $0 }
      return isWhole && rest
        ? GroupCommandPlan.SharedChange(kind: .remove, logicalVolumes: gone) : nil
    }
    let changed = visible.filter { logicalVolume(id: $0.id)?.isWritable != $0.isWritable }
    guard isSameSet, !changed.isEmpty, hasMappings(of: next) else { return nil }
    return GroupCommandPlan.SharedChange(kind: .permission, logicalVolumes: changed.map(\.name))
  }

  /// Whether every LV is mapped alike in both, whatever the parts are called.
  private func hasMappings(of other: VolumeGroup) -> Bool {
    logicalVolumes.allSatisfy { volume in
      guard let after = other.logicalVolume(id: volume.id),
        after.readAheadSectors == volume.readAheadSectors, after.minor == volume.minor,
        after.segments.count == volume.segments.count
      else { return false }
      return zip(after.segments, volume.segments).allSatisfy { $0.isMapped(like: $1) }
    }
  }

  /// The LVs whose locks say whether anything is active that `next` changes: those that are gone or
  /// mapped differently, and those that something new is built on, each by its holder.
  func volumesTouched(by next: VolumeGroup) -> [VolumeLock] {
    var names: Set<String> = []
    for volume in logicalVolumes {
      let after = next.logicalVolume(id: volume.id)
      guard
        after == nil || after?.name != volume.name || after?.segments != volume.segments
          || after?.isWritable != volume.isWritable
          || after?.readAheadSectors != volume.readAheadSectors || after?.minor != volume.minor
      else { continue }
      names.insert(lockHolder(of: volume.name))
    }
    for volume in next.logicalVolumes where logicalVolume(id: volume.id) == nil {
      for below in volume.referencedNames where logicalVolume(named: below) != nil {
        names.insert(lockHolder(of: below))
      }
    }
    return logicalVolumes.filter { names.contains($0.name) }.map {
      VolumeLock(of: $0)
    }
  }
}

extension Segment {
  /// The parts of other types than linear and striped may be called differently.
  fileprivate func isMapped(like other: Segment) -> Bool {
    guard startExtent == other.startExtent, extentCount == other.extentCount,
      typeName == other.typeName
    else { return false }
    return stripedLayout == nil || self == other
  }
}
