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
    /// The header on disk before the change.
    let header: MetadataAreaHeader
    let location: TextLocation
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
  private var step = Step.planned

  /// Plans the change and refuses, before anything is written, what could not be carried through.
  ///
  /// - Parameters:
  ///   - current: the group as read under the lock.
  ///   - text: its next version, with a seqno greater by one.
  ///   - changesIdentifier: the group is meant to get another id.
  public init(
    from current: ScannedVolumeGroup, to text: MetadataText, changesIdentifier: Bool = false
  ) throws(MetadataCommitError) {
    let group = text.volumeGroup
    let old = current.volumeGroup
    groupName = group.name
    if let obstacle = current.obstacles.first { throw .refused(group: old.name, "\(obstacle)") }
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
    targets = try Self.plan(for: bytes, members: current.members, group: group)
  }

  private static func plan(
    for bytes: [UInt8], members: [ScannedVolumeGroup.Member], group: VolumeGroup
  ) throws(MetadataCommitError) -> [Target] {
    let size = UInt64(bytes.count)
    let checksum = MetadataAreaHeader.checksum(of: bytes)
    var targets: [Target] = []
    for member in members where group.physicalVolume(id: member.id) != nil {
      guard let scanned = member.scanned else { continue }
      for area in scanned.areas {
        guard let header = area.headerForWriting else { continue }
        let buffer = CircularText(header: header)
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
            device: scanned.device, area: area.area, header: header,
            location: TextLocation(offset: offset, size: size, checksum: checksum)))
      }
    }
    guard !targets.isEmpty else { throw .noArea(group: group.name) }
    return targets
  }

  /// Writes the new text into the free part of every area. On failure everything is taken back.
  public mutating func write() throws(MetadataCommitError) {
    precondition(step == .planned, "the text is written once")
    step = .written
    let bytes = self.bytes
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        try target.checkUnchanged()
        do throws(MetadataDeviceError) {
          try CircularText(header: target.header).write(
            bytes, at: target.location.offset, to: target.device)
        } catch {
          throw .device(error)
        }
      }
    }
    try flushOrRevert()
  }

  /// Lets slot 1 of every area point to the new text. On failure everything is taken back.
  public mutating func precommit() throws(MetadataCommitError) {
    precondition(step == .written, "precommit follows write")
    step = .precommitted
    for target in targets {
      try orRevert(target) { target throws(MetadataAreaError) in
        try target.checkUnchanged()
        var header = target.header
        header.precommitted = target.location
        try target.write(header)
      }
    }
    try flushOrRevert()
  }

  /// Lets slot 0 of every area point to the new text.
  ///
  /// The change is done as soon as one area has it; the others are stale and the next change
  /// brings them up to date.
  public mutating func commit() -> MetadataCommitOutcome {
    precondition(step == .precommitted, "commit follows precommit")
    step = .finished
    var failures: [MetadataAreaFailure] = []
    var written: [Target] = []
    for target in targets {
      var header = target.header
      header.committed = target.location
      header.precommitted = nil
      do {
        try target.write(header)
        written.append(target)
      } catch {
        failures.append(MetadataAreaFailure(target, error))
      }
    }
    var committedCount = 0
    for target in written {
      do {
        try target.device.flush()
        committedCount += 1
      } catch {
        failures.append(MetadataAreaFailure(target, .device(error)))
      }
    }
    if failures.isEmpty { return .everywhere }
    return committedCount > 0 ? .partly(stale: failures) : .unknown(failures)
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
  /// Throws unless the header on disk still has the committed slot it had when it was scanned.
  fileprivate func checkUnchanged() throws(MetadataAreaError) {
    let now = try MetadataScanner.readHeader(of: area, on: device)
    guard now.committed == header.committed else {
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

extension MetadataAreaFailure {
  fileprivate init(_ target: MetadataCommit.Target, _ error: MetadataAreaError) {
    self.init(device: target.device.name, offset: target.area.offset, error: error)
  }
}
