/// Changes a volume group on disk: all of the new version or nothing (lvm2-metadata 3).
///
/// The caller holds the VG's exclusive lock from before the scan to after the last step and drives
/// the steps in this order:
///
///     var change = try MetadataCommit(from: scanned, to: text)
///     try change.write()        // the text, into free parts of the areas; nobody sees it yet
///     try change.precommit()    // slot 1 points to it, for those who take part in the change
///     …load tables, suspend…
///     let outcome = change.commit()   // slot 0 points to it: from here on it is the truth
///     …resume…
///
/// `revert()` instead of `commit()` takes everything back. Each step ends with a flush of every
/// device: what a slot points to is durable before the slot is.
public struct MetadataCommit {
  /// A metadata area that takes part.
  fileprivate struct Target {
    let device: any MetadataDevice
    let area: DiskArea
    /// The header on disk before the change; in a repair of a bad one, the empty one in its place.
    let header: MetadataAreaHeader
    /// What to write instead of `header` when an area that was ignored is taken into use: its old
    /// pointers mean nothing (lvm2-metadata 2.4).
    let base: MetadataAreaHeader
    let location: TextLocation
    /// The area is not used any more once the change is done.
    let isToBeIgnored: Bool
    let isRebuilt: Bool
  }

  /// What a change is for.
  public enum Purpose: Sendable {
    /// To change the group: refused while anything about it needs an administrator.
    case change
    /// To make all copies equal again (`vgck --updatemetadata`): areas with bad headers or with
    /// another text of the same seqno are written anew, and missing PVs are no obstacle.
    case repair
  }

  private enum Step {
    case planned
    case written
    case precommitted
    case finished
  }

  private let groupName: String
  private let bytes: [UInt8]
  private let targets: [Target]
  /// Devices whose labels do not say that they are used, and the labels that do.
  private let labels: [(device: any MetadataDevice, label: PhysicalVolumeLabel)]
  private var step = Step.planned

  /// Plans the change and refuses, before anything is written, what could not be carried through.
  ///
  /// - Parameters:
  ///   - current: the group as read under the lock.
  ///   - text: its next version, with a seqno greater by one.
  ///   - changesIdentifier: the group is meant to get another id.
  ///   - areaUse: PVs whose metadata areas are to be used, or ignored, from now on.
  public init(
    from current: ScannedVolumeGroup, to text: MetadataText, purpose: Purpose = .change,
    changesIdentifier: Bool = false, areaUse: [LVMIdentifier: Bool] = [:]
  ) throws(MetadataCommitError) {
    let group = text.volumeGroup
    let old = current.volumeGroup
    groupName = group.name
    if let obstacle = current.obstacles.first(where: { purpose == .change || !$0.isRepairable }) {
      throw .refused(group: old.name, "\(obstacle)")
    }
    guard group.id == old.id || changesIdentifier else {
      throw .refused(group: old.name, "its id would change")
    }
    guard group.seqno == old.seqno &+ 1 else {
      throw .refused(
        group: old.name, "seqno \(group.seqno) does not follow \(old.seqno)")
    }
    do throws(VolumeGroupRefusal) {
      try old.checkChangeable()
      try group.checkWritable()
    } catch {
      throw .refused(group: old.name, error.message)
    }
    bytes = text.bytes(form: .disk)
    guard (try? MetadataText(parsing: bytes))?.volumeGroup == group else {
      throw .refused(group: old.name, "the new metadata would not be read back as it is meant")
    }
    targets = try Self.plan(
      for: bytes, members: current.members, group: group, purpose: purpose, areaUse: areaUse)
    // LVM leaves the labels of shared and foreign groups alone.
    labels =
      group.isShared || group.systemID != nil
      ? [] : Self.outdatedLabels(of: current.members, in: group)
  }

  /// Plans to write a group, as a backup describes it, over whatever its PVs hold
  /// (`vgcfgrestore`). The seqno must be greater than any on them.
  ///
  /// - Parameter members: a device for every PV of the group.
  public init(
    restoring text: MetadataText, onto members: [ScannedVolumeGroup.Member]
  ) throws(MetadataCommitError) {
    let group = text.volumeGroup
    groupName = group.name
    do throws(VolumeGroupRefusal) {
      try group.checkWritable()
    } catch {
      throw .refused(group: group.name, error.message)
    }
    for volume in group.physicalVolumes {
      let member = members.first { $0.id == volume.id }
      guard member?.scanned != nil else {
        throw .refused(group: group.name, "PV \(volume.id) is missing")
      }
    }
    bytes = text.bytes(form: .disk)
    targets = try Self.plan(for: bytes, members: members, group: group, purpose: .repair)
    labels = Self.outdatedLabels(of: members, in: group)
  }

  /// Labels that LVM brings up to date with the next change: those without the mark of use, or too
  /// old to have one (lvm2-metadata 1.4).
  private static func outdatedLabels(
    of members: [ScannedVolumeGroup.Member], in group: VolumeGroup
  ) -> [(device: any MetadataDevice, label: PhysicalVolumeLabel)] {
    members.compactMap { member in
      guard group.physicalVolume(id: member.id) != nil, let scanned = member.scanned,
        !scanned.label.isUsed
      else { return nil }
      var label = scanned.label
      label.isUsed = true
      return label.fitsItsSector ? (scanned.device, label) : nil
    }
  }

  private static func plan(
    for bytes: [UInt8], members: [ScannedVolumeGroup.Member], group: VolumeGroup,
    purpose: Purpose, areaUse: [LVMIdentifier: Bool] = [:]
  ) throws(MetadataCommitError) -> [Target] {
    let size = UInt64(bytes.count)
    let checksum = MetadataAreaHeader.checksum(of: bytes)
    let choice = MetadataAreaChoice(members: members, group: group, areaUse: areaUse)
    var targets: [Target] = []
    for member in members where group.physicalVolume(id: member.id) != nil {
      guard let scanned = member.scanned else { continue }
      for (index, area) in scanned.areas.enumerated() {
        let isUsed = choice.uses(member.id, area: index)
        var header = isUsed == true ? area.headerForUse : area.headerForWriting
        var isRebuilt = false
        if header == nil, purpose == .repair {
          (header, isRebuilt) = headerForRepair(of: area, on: scanned.device)
        }
        guard let header else { continue }
        var base = header
        if header.isIgnored {
          base.isIgnored = false
          base.committed = nil
          base.precommitted = nil
        }
        let buffer = CircularText(header: base)
        guard size <= buffer.newTextSizeMax else {
          throw .textTooLarge(
            group: group.name, device: scanned.device.name, size: size,
            sizeMax: buffer.newTextSizeMax)
        }
        guard let offset = buffer.placeForNewText(size: size) else {
          throw .areaFull(group: group.name, device: scanned.device.name)
        }
        targets.append(
          Target(
            device: scanned.device, area: area.area, header: header, base: base,
            location: TextLocation(offset: offset, size: size, checksum: checksum),
            isToBeIgnored: isUsed == false, isRebuilt: isRebuilt))
      }
    }
    guard targets.contains(where: { !$0.isToBeIgnored }) else { throw .noArea(group: group.name) }
    // Those that readers pass over afterwards come first.
    return targets.filter(\.isToBeIgnored) + targets.filter { !$0.isToBeIgnored }
  }

  /// The header that an area with a bad one, or with a text of somebody else, starts from; nil for
  /// one that is ignored or whose place on the device is nonsense.
  private static func headerForRepair(
    of area: ScannedArea, on device: any MetadataDevice
  ) -> (MetadataAreaHeader?, isRebuilt: Bool) {
    guard case .unusable = area.state else { return (nil, false) }
    if let header = try? MetadataScanner.readHeader(of: area.area, on: device) {
      return (header.isIgnored ? nil : header, false)
    }
    let (end, overflow) = area.area.offset.addingReportingOverflow(area.area.size)
    guard !overflow, end <= device.sizeBytes, area.area.size >= MetadataAreaHeader.areaSizeMin
    else { return (nil, false) }
    return (MetadataAreaHeader(area: area.area), true)
  }

  /// Writes the new text into the free part of every area. On failure everything is taken back.
  ///
  /// Labels that lack the mark of use get it first: that is true whether or not the change comes
  /// through.
  public mutating func write() throws(MetadataCommitError) {
    precondition(step == .planned, "the text is written once")
    step = .written
    try markLabels()
    let bytes = self.bytes
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        try target.checkUnchanged()
        do throws(MetadataDeviceError) {
          try CircularText(header: target.base).write(
            bytes, at: target.location.offset, to: target.device)
        } catch {
          throw .device(error)
        }
      }
    }
    try flushOrRevert()
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        let text = try CircularText(header: target.base)
          .read(target.location, from: target.device)
        guard text == bytes else { throw .notReadBack }
      }
    }
  }

  private func markLabels() throws(MetadataCommitError) {
    for (device, label) in labels {
      do throws(MetadataDeviceError) {
        try device.writeSectors(
          label.encoded(), at: UInt64(label.sector * PhysicalVolumeLabel.sectorSize))
      } catch {
        throw .label(group: groupName, error)
      }
    }
  }

  /// Lets slot 1 of every area point to the new text. On failure everything is taken back.
  public mutating func precommit() throws(MetadataCommitError) {
    precondition(step == .written, "precommit follows write")
    step = .precommitted
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        try target.checkUnchanged()
        var header = target.base
        header.precommitted = target.location
        try target.write(header)
      }
    }
    try flushOrRevert()
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        let header = try MetadataScanner.readHeader(of: target.area, on: target.device)
        guard header.precommitted == target.location else { throw .notReadBack }
      }
    }
  }

  /// Lets slot 0 of every area point to the new text.
  ///
  /// The change is done as soon as one area has it; the others are stale and the next change
  /// brings them up to date. When none has it, everything is taken back: the new version must not
  /// come to life later on, when nobody expects it any more.
  public mutating func commit() -> MetadataCommitOutcome {
    precondition(step == .precommitted, "commit follows precommit")
    step = .finished
    var failures: [MetadataAreaFailure] = []
    var written: [Target] = []
    for target in targets {
      do throws(MetadataAreaError) {
        try target.write(target.committedHeader)
        written.append(target)
      } catch {
        failures.append(MetadataAreaFailure(target, error))
      }
    }
    var committedCount = 0
    for target in written {
      do throws(MetadataAreaError) {
        try target.flush()
        let header = try MetadataScanner.readHeader(of: target.area, on: target.device)
        guard header == target.committedHeader else { throw .notReadBack }
        if !target.isToBeIgnored { committedCount += 1 }
      } catch {
        failures.append(MetadataAreaFailure(target, error))
      }
    }
    if failures.isEmpty { return .everywhere }
    return committedCount > 0 ? .partly(stale: failures) : takenBack(failures)
  }

  /// After a commit that failed in every area: the old headers are written again, and if all of
  /// them can be read back, the old version counts for certain.
  private func takenBack(_ failures: [MetadataAreaFailure]) -> MetadataCommitOutcome {
    for target in targets {
      var header = target.header
      header.precommitted = nil
      do throws(MetadataAreaError) {
        try target.write(header)
        try target.flush()
        let now = try MetadataScanner.readHeader(of: target.area, on: target.device)
        guard now == header else { throw .notReadBack }
      } catch {
        return .unknown(failures + [MetadataAreaFailure(target, error)])
      }
    }
    return .takenBack(failures)
  }

  /// Takes back a change that is not committed: slot 1 is emptied, slot 0 stays.
  ///
  /// What cannot be taken back does no harm, since readers ignore slot 1; it is returned for the
  /// log.
  @discardableResult
  public mutating func revert() -> [MetadataAreaFailure] {
    precondition(step != .finished, "a finished change cannot be taken back")
    let mayHavePrecommitted = step == .precommitted
    step = .finished
    guard mayHavePrecommitted else { return [] }
    var failures: [MetadataAreaFailure] = []
    for target in targets {
      var header = target.header
      header.precommitted = nil
      do throws(MetadataAreaError) {
        try target.write(header)
        try target.flush()
      } catch {
        failures.append(MetadataAreaFailure(target, error))
      }
    }
    return failures
  }

  private mutating func orRevert(
    _ target: Target, _ body: (Target) throws(MetadataAreaError) -> Void
  ) throws(MetadataCommitError) {
    do {
      try body(target)
    } catch {
      let failure = MetadataAreaFailure(target, error)
      throw .failed(group: groupName, failure, notReverted: revert())
    }
  }

  private mutating func flushOrRevert() throws(MetadataCommitError) {
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in try target.flush() }
    }
  }
}

extension MetadataCommit.Target {
  /// What the header says once the change is done.
  fileprivate var committedHeader: MetadataAreaHeader {
    var header = base
    header.committed = location
    header.precommitted = nil
    header.isIgnored = isToBeIgnored
    return header
  }

  /// Throws unless the header on disk still has the committed slot it had when it was scanned.
  fileprivate func checkUnchanged() throws(MetadataAreaError) {
    guard !isRebuilt else { return }
    let now = try MetadataScanner.readHeader(of: area, on: device)
    guard now.committed == header.committed || now.committed == base.committed else {
      throw .changedMeanwhile
    }
  }

  fileprivate func write(_ header: MetadataAreaHeader) throws(MetadataAreaError) {
    do {
      try device.writeSectors(header.encoded(), at: area.offset)
    } catch {
      throw .device(error)
    }
  }

  fileprivate func flush() throws(MetadataAreaError) {
    do {
      try device.flush()
    } catch {
      throw .device(error)
    }
  }
}

extension ScannedArea {
  /// The header a change starts from; nil when the area takes no part.
  fileprivate var headerForWriting: MetadataAreaHeader? {
    switch state {
    case .unusable, .ignored: nil
    case .empty(let header), .damaged(let header, _), .text(let header, _, _): header
    }
  }
}

extension ScannedArea {
  /// The same for an area that is to be used, whether it was ignored or not.
  fileprivate var headerForUse: MetadataAreaHeader? {
    if case .ignored(let header) = state { header } else { headerForWriting }
  }
}

extension MetadataAreaFailure {
  fileprivate init(_ target: MetadataCommit.Target, _ error: MetadataAreaError) {
    self.init(device: target.device.name, offset: target.area.offset, error: error)
  }
}
