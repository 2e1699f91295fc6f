import ByteCoding
import ClusterTypes

// Layout: one byte version, one byte kind, then the fields in order, little-endian; texts and
// lists are counted. Every field has a limit, so that a hostile peer costs little memory.

extension CoordinationMessage {
  /// The leading byte. A peer that speaks another version is refused as a whole.
  public static let version: UInt8 = 2

  /// Reasons longer than this many bytes are cut when written.
  public static let reasonLengthMaximum = 1024
  /// A volume group with more active logical volumes answers a reload with a failure.
  public static let reloadsMaximum = 4096

  fileprivate enum Kind: UInt8 {
    case prepare = 1
    case suspend = 2
    case resume = 3
    case abandon = 4
    case prepared = 5
    case suspended = 6
    case resumed = 7
    case abandoned = 8
    case refused = 9
    case delayed = 10
    case reload = 11
    case reloaded = 12
    case reloadFailed = 13
    case stranded = 14
  }

  public func encode() -> [UInt8] {
    var writer = ByteWriter(reservingCapacity: 64)
    writer.write(Self.version)
    switch self {
    case .prepare(let change):
      writer.write(Kind.prepare.rawValue)
      writer.write(change)
    case .suspend(let id): writer.write(.suspend, id)
    case .resume(let id): writer.write(.resume, id)
    case .abandon(let change):
      writer.write(Kind.abandon.rawValue)
      writer.write(change)
    case .prepared(let id): writer.write(.prepared, id)
    case .suspended(let id): writer.write(.suspended, id)
    case .resumed(let id, let suspendedMilliseconds):
      writer.write(.resumed, id)
      writer.write(suspendedMilliseconds)
    case .abandoned(let id, let suspendedMilliseconds):
      writer.write(.abandoned, id)
      writer.write(suspendedMilliseconds)
    case .refused(let id, let reason):
      writer.write(.refused, id)
      writer.writeReason(reason)
    case .delayed(let id, let reason):
      writer.write(.delayed, id)
      writer.writeReason(reason)
    case .stranded(let id, let reason):
      writer.write(.stranded, id)
      writer.writeReason(reason)
    case .reload(let request):
      writer.write(.reload, request.id)
      writer.writeString(request.volumeGroup)
      writer.writeString(request.volumeGroupID)
    case .reloaded(let id, let volumes):
      writer.write(volumes, of: id)
    case .reloadFailed(let id, let reason):
      writer.write(.reloadFailed, id)
      writer.writeReason(reason)
    }
    return writer.bytes
  }

  /// Total: anything but one whole message of this version throws.
  public init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    let version = try reader.read(UInt8.self)
    guard version == Self.version else {
      throw .invalid("volume coordination version \(version), not \(Self.version)")
    }
    let number = try reader.read(UInt8.self)
    guard let kind = Kind(rawValue: number) else {
      throw .invalid("volume coordination message of kind \(number)")
    }
    self = try Self.decode(kind, &reader)
    try reader.expectEnd()
  }

  private static func decode(
    _ kind: Kind, _ reader: inout ByteReader
  ) throws(ByteDecodingError) -> CoordinationMessage {
    switch kind {
    case .prepare: .prepare(try reader.readVolumeChange())
    case .suspend: .suspend(try reader.readRequestID())
    case .resume: .resume(try reader.readRequestID())
    case .abandon: .abandon(try reader.readVolumeChange())
    case .prepared: .prepared(try reader.readRequestID())
    case .suspended: .suspended(try reader.readRequestID())
    case .resumed:
      .resumed(try reader.readRequestID(), suspendedMilliseconds: try reader.read())
    case .abandoned:
      .abandoned(try reader.readRequestID(), suspendedMilliseconds: try reader.read())
    case .refused: .refused(try reader.readRequestID(), reason: try reader.readReason())
    case .delayed: .delayed(try reader.readRequestID(), reason: try reader.readReason())
    case .stranded: .stranded(try reader.readRequestID(), reason: try reader.readReason())
    case .reload: .reload(try reader.readReloadRequest())
    case .reloaded: .reloaded(try reader.readRequestID(), try reader.readReloads())
    case .reloadFailed: .reloadFailed(try reader.readRequestID(), reason: try reader.readReason())
    }
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ kind: CoordinationMessage.Kind, _ id: VolumeRequestID) {
    write(kind.rawValue)
    write(id)
  }

  private mutating func write(_ id: VolumeRequestID) {
    write(id.origin.node.rawValue)
    write(id.origin.incarnation.rawValue)
    write(id.number)
  }

  fileprivate mutating func write(_ change: VolumeChange) {
    write(change.id)
    writeString(change.volumeGroup)
    writeString(change.volumeGroupID)
    writeList(change.logicalVolumes) { writer, name in writer.writeString(name) }
    write(change.oldSeqno)
    write(change.newSeqno)
    write(change.kind.rawValue)
  }

  fileprivate mutating func writeReason(_ reason: String) {
    var kept = reason[...]
    while kept.utf8.count > CoordinationMessage.reasonLengthMaximum { kept.removeLast() }
    writeString(String(kept))
  }

  fileprivate mutating func write(_ volumes: [LogicalVolumeReload], of id: VolumeRequestID) {
    guard volumes.count <= CoordinationMessage.reloadsMaximum else {
      write(.reloadFailed, id)
      return writeReason("\(volumes.count) logical volumes are too many to report.")
    }
    write(.reloaded, id)
    writeList(volumes) { writer, volume in
      writer.writeString(volume.logicalVolume)
      switch volume.outcome {
      case .reloaded: writer.write(UInt8(1))
      case .unchanged: writer.write(UInt8(2))
      case .failed(let reason):
        writer.write(UInt8(3))
        writer.writeReason(reason)
      }
    }
  }
}

extension ByteReader {
  fileprivate mutating func readRequestID() throws(ByteDecodingError) -> VolumeRequestID {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("a node id below 1") }
    let incarnation = Incarnation(try read())
    return VolumeRequestID(origin: NodeInstance(node, incarnation), number: try read())
  }

  fileprivate mutating func readVolumeChange() throws(ByteDecodingError) -> VolumeChange {
    let id = try readRequestID()
    let volumeGroup = try readName()
    let volumeGroupID = try readName()
    let names = try readList(limit: VolumeChange.logicalVolumesMaximum) {
      reader throws(ByteDecodingError) in try reader.readName()
    }
    let oldSeqno = try read(UInt32.self)
    let newSeqno = try read(UInt32.self)
    let number = try read(UInt8.self)
    guard let kind = VolumeChange.Kind(rawValue: number) else {
      throw .invalid("a change of kind \(number)")
    }
    do {
      return try VolumeChange(
        id: id, volumeGroup: volumeGroup, volumeGroupID: volumeGroupID, logicalVolumes: names,
        oldSeqno: oldSeqno, newSeqno: newSeqno, kind: kind)
    } catch {
      throw .invalid(error.description)
    }
  }

  fileprivate mutating func readReloadRequest() throws(ByteDecodingError) -> ReloadRequest {
    let id = try readRequestID()
    let volumeGroup = try readName()
    let volumeGroupID = try readName()
    do {
      return try ReloadRequest(id: id, volumeGroup: volumeGroup, volumeGroupID: volumeGroupID)
    } catch {
      throw .invalid(error.description)
    }
  }

  fileprivate mutating func readReloads() throws(ByteDecodingError) -> [LogicalVolumeReload] {
    try readList(limit: CoordinationMessage.reloadsMaximum) {
      reader throws(ByteDecodingError) in
      let name = try reader.readName()
      return LogicalVolumeReload(logicalVolume: name, outcome: try reader.readReloadOutcome())
    }
  }

  private mutating func readReloadOutcome()
    throws(ByteDecodingError) -> LogicalVolumeReload.Outcome
  {
    switch try read(UInt8.self) {
    case 1: .reloaded
    case 2: .unchanged
    case 3: .failed(try readReason())
    case let other: throw .invalid("a logical volume's reload result \(other)")
    }
  }

  private mutating func readName() throws(ByteDecodingError) -> String {
    try readString(limit: VolumeChange.nameLengthMaximum)
  }

  fileprivate mutating func readReason() throws(ByteDecodingError) -> String {
    try readString(limit: CoordinationMessage.reasonLengthMaximum)
  }
}
